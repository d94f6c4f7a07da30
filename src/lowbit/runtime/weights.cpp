#include "lowbit/runtime/weights.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "lowbit/runtime/bits.h"

namespace lowbit::runtime {
namespace {

// Where a byte has whole codes only: what it stands for, eight or fewer at a time.
void unpack_bytes(std::span<const uint8_t> data, int bits, const std::array<int8_t, 256>& integers,
                  std::vector<int8_t>& to) {
  const size_t each = static_cast<size_t>(8 / bits);
  std::array<std::array<int8_t, 8>, 256> of_byte{};
  for (size_t byte = 0; byte < of_byte.size(); ++byte)
    for (size_t i = 0; i < each; ++i) {
      const auto one = static_cast<uint8_t>(byte);
      of_byte[byte][i] = integers[unpack_bits({&one, 1}, i, bits)];
    }
  for (size_t i = 0; i < to.size(); i += each) {
    const std::array<int8_t, 8>& some = of_byte[data[i / each]];
    std::copy_n(some.begin(), std::min(each, to.size() - i), &to[i]);
  }
}

}  // namespace

std::vector<int8_t> integers_of(const packed::WeightPlane& plane, size_t count) {
  std::vector<int8_t> result(count, 1);
  if (!plane.data() || plane.data()->size() == 0) return result;
  const std::span<const uint8_t> data(plane.data()->data(), plane.data()->size());
  const int bits = plane.bits();
  std::array<int8_t, 256> integers{};
  if (plane.integers() && plane.integers()->size() > 0)
    std::ranges::copy_n(plane.integers()->begin(), plane.integers()->size(), integers.begin());
  else
    for (size_t code = 0; code < integers.size(); ++code)
      integers[code] = static_cast<int8_t>(code);
  if (8 % bits == 0) {
    unpack_bytes(data, bits, integers, result);
  } else {
    for (size_t i = 0; i < count; ++i) result[i] = integers[unpack_bits(data, i, bits)];
  }
  return result;
}

int64_t largest_sum(std::span<const int8_t> weights, int out) {
  const size_t filter = weights.size() / static_cast<size_t>(out);
  int64_t largest = 0;
  for (size_t first = 0; first < weights.size(); first += filter) {
    // In parts that 32 bits hold, which the compiler adds up by vectors.
    constexpr size_t kPart = size_t{1} << 20;
    int64_t sum = 0;
    for (size_t part = 0; part < filter; part += kPart) {
      int32_t some = 0;
      for (size_t i = part; i < std::min(part + kPart, filter); ++i)
        some += std::abs(int32_t{weights[first + i]});
      sum += some;
    }
    largest = std::max(largest, sum);
  }
  return largest;
}

}  // namespace lowbit::runtime
