#include "weights.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <span>

#include "lowbit/core/error.h"
#include "lowbit/runtime/bits.h"

namespace lowbit::onnx {
namespace {

constexpr double kLeastScale = 1e-30;
constexpr int kLargestInt8 = 127, kZeroOfUnsigned = 128;

// Runtimes round the bias of an integer convolution to a whole number of units of the sum. The unit
// of low-bit weights is coarse: integers as large as 8 bits hold make it finer, and change nothing
// else.
int largest_multiple(const WeightIntegers& weights, int largest_input) {
  const double largest = std::max(1, weights.largest());
  const double sum = largest * largest_input * static_cast<double>(weights.each());
  return static_cast<int>(
      std::max(1.0, std::floor(std::min(kLargestInt8 / largest, 0x1p30 / sum))));
}

// Processors that add products of bytes in pairs to 16 bits do so for unsigned times signed ones
// alone: weights whose sums do not fit there are unsigned.
int zero_point_of(int largest_weight, int largest_input) {
  const bool fits = 2 * largest_input * largest_weight <= std::numeric_limits<int16_t>::max();
  return fits ? 0 : kZeroOfUnsigned;
}

// Dequantizes bytes [O, I / groups, k, k], int8 or, with a zero point, uint8. scales: one, or one
// for each output channel.
std::string dequantize_bytes(Translation& to, const Shape& shape, const std::string& bytes,
                             int zero_point, std::span<const float> scales) {
  const auto type = zero_point == 0 ? proto::TensorProto::INT8 : proto::TensorProto::UINT8;
  const bool one = scales.size() == 1;
  const Shape channels = one ? Shape{} : Shape{shape[0]};
  std::vector<std::string> inputs = {to.graph.tensor(type, shape, bytes),
                                     to.graph.floats(scales, channels)};
  if (zero_point != 0) {
    const std::vector<uint8_t> zeros(scales.size(), static_cast<uint8_t>(zero_point));
    inputs.push_back(to.graph.bytes(zeros, channels));
  }
  return to.graph.add(
      "DequantizeLinear", std::move(inputs),
      one ? std::vector<Attribute>{} : std::vector<Attribute>{{"axis", int64_t{0}}});
}

struct Carrier {
  int bits;
  proto::TensorProto::DataType with_sign, without_sign;
};

std::string packed_tensor(Translation& to, proto::TensorProto::DataType type, const Shape& shape,
                          const std::vector<int>& numbers, int bits) {
  std::vector<uint8_t> codes;
  for (const int number : numbers)
    codes.push_back(static_cast<uint8_t>(static_cast<unsigned>(number) & ((1U << bits) - 1)));
  const std::vector<uint8_t> packed = runtime::pack_bits(codes, bits);
  return to.graph.tensor(type, shape, {packed.begin(), packed.end()});
}

// None where the integers do not fit.
std::optional<std::string> carry_narrow(Translation& to, const WeightIntegers& weights,
                                        const Carrier& carrier) {
  const int span = 1 << carrier.bits;
  const auto [least, most] = std::ranges::minmax(weights.integers);
  const int low = std::min<int>(least, 0), high = std::max<int>(most, 0);
  if (high - low >= span) return std::nullopt;
  const bool with_sign = low >= -span / 2 && high < span / 2;
  std::vector<int> integers(weights.integers.begin(), weights.integers.end());
  if (!with_sign)
    for (int& integer : integers) integer -= low;
  const auto type = with_sign ? carrier.with_sign : carrier.without_sign;
  std::vector<std::string> inputs = {packed_tensor(to, type, weights.shape, integers, carrier.bits),
                                     to.graph.number(1)};
  if (!with_sign) inputs.push_back(packed_tensor(to, type, {}, {-low}, carrier.bits));
  return to.graph.add("DequantizeLinear", std::move(inputs));
}

}  // namespace

int WeightIntegers::largest() const {
  int most = 0;
  for (const int8_t integer : integers) most = std::max(most, std::abs(integer));
  return most;
}

CarriedWeights scaled_bytes(const WeightIntegers& weights, const SumUnits& units) {
  // A bias of more units than this would not fit into the sum, as where BatchNorm has switched a
  // channel off: the unit is made larger then.
  constexpr double kMostBias = 0x1p29;
  const int multiple = largest_multiple(weights, units.largest_input);
  const int zero = zero_point_of(multiple * weights.largest(), units.largest_input);
  std::vector<float> scales;
  std::string raw;
  for (size_t o = 0; o < weights.out(); ++o) {
    const double coefficient = units.coefficients[o] / static_cast<double>(units.input_unit);
    double scale = std::max(std::abs(coefficient) / multiple, kLeastScale);
    if (!units.bias.empty())
      scale = std::max(
          scale, std::abs(units.bias[o]) / (static_cast<double>(units.input_unit) * kMostBias));
    scales.push_back(static_cast<float>(scale));
    for (size_t i = 0; i < weights.each(); ++i) {
      const double integer =
          std::round(weights.integers[o * weights.each() + i] * coefficient / scale);
      if (std::abs(integer) > kLargestInt8)
        throw core::failure("ONNX: a weight of {} has no negative in 8 bits", integer);
      raw += static_cast<char>(static_cast<int>(integer) + zero);
    }
  }
  return {weights.shape, std::move(raw), zero, std::move(scales)};
}

std::string dequantized(Translation& to, const CarriedWeights& weights) {
  return dequantize_bytes(to, weights.shape, weights.bytes, weights.zero_point, weights.scales);
}

std::string carry_integers(Translation& to, const WeightIntegers& weights, int largest_input) {
  constexpr Carrier kTwo = {2, proto::TensorProto::INT2, proto::TensorProto::UINT2};
  constexpr Carrier kFour = {4, proto::TensorProto::INT4, proto::TensorProto::UINT4};
  if (to.options.weights == Weights::int2)
    if (const auto tensor = carry_narrow(to, weights, kTwo)) return *tensor;
  if (to.options.weights != Weights::int8)
    if (const auto tensor = carry_narrow(to, weights, kFour)) return *tensor;
  const int zero = zero_point_of(weights.largest(), largest_input);
  std::string bytes;
  for (const int8_t integer : weights.integers) bytes += static_cast<char>(integer + zero);
  return dequantize_bytes(to, weights.shape, bytes, zero, std::array{1.0F});
}

}  // namespace lowbit::onnx
