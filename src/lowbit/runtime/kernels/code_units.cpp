#include "lowbit/runtime/kernels/code_units.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <numeric>

#include "lowbit/core/error.h"
#include "lowbit/runtime/weights.h"

namespace lowbit::runtime {
namespace {

// The larger of |integer| over the codes of a channel.
int64_t largest_integer(const ConvProblem& problem, int channel) {
  if (problem.code_integers.empty()) {
    const int zero = problem.zero_points[static_cast<size_t>(channel)];
    return std::max(zero, 255 - zero);
  }
  int largest = 0;
  for (const int integer : problem.code_integers) largest = std::max(largest, std::abs(integer));
  return largest;
}

void check_sizes(const ConvProblem& p) {
  // Far above any network's, and far below where a product of two of them leaves 32 bits.
  constexpr int kMostPixels = 1 << 14, kMostChannels = 1 << 16, kMostKernel = 64;
  const auto between = [](int value, int low, int high) { return low <= value && value <= high; };
  if (!between(p.height, 1, kMostPixels) || !between(p.width, 1, kMostPixels) ||
      !between(p.in, 1, kMostChannels) || !between(p.out, 1, kMostChannels) ||
      !between(p.kernel, 1, kMostKernel) || !between(p.stride, 1, kMostKernel) ||
      !between(p.padding, 0, kMostKernel))
    throw core::usage_error(
        "a convolution of {} x {} x {} codes to {} channels with a kernel of "
        "side {}, stride {} and padding {} is out of range",
        p.height, p.width, p.in, p.out, p.kernel, p.stride, p.padding);
  if (p.groups < 1 || p.in % p.groups || p.out % p.groups)
    throw core::usage_error("{} groups do not divide {} input and {} output channels", p.groups,
                            p.in, p.out);
  if (p.height + 2 * p.padding < p.kernel || p.width + 2 * p.padding < p.kernel)
    throw core::usage_error("a kernel of side {} is larger than {} x {} pixels with padding {}",
                            p.kernel, p.height, p.width, p.padding);
}

}  // namespace

bool CodeUnits::same_as_codes() const {
  for (int code = 0; code < count; ++code)
    if (unit[static_cast<size_t>(code)] != code) return false;
  return true;
}

uint8_t CodeUnits::code_of_zero() const {
  return static_cast<uint8_t>(std::find(unit.begin(), unit.begin() + count, 0) - unit.begin());
}

CodeUnits code_units(const ConvProblem& problem) {
  CodeUnits units{.count = 256, .scale = 1, .largest = 255, .offset = {}};
  if (problem.code_integers.empty()) {
    for (const uint8_t zero : problem.zero_points) units.offset.push_back(-static_cast<int>(zero));
    std::iota(units.unit.begin(), units.unit.end(), uint8_t{0});
    return units;
  }
  const auto [low, high] = std::ranges::minmax(problem.code_integers);
  int divisor = 0;
  for (const int integer : problem.code_integers) divisor = std::gcd(divisor, integer - low);
  units.count = static_cast<int>(problem.code_integers.size());
  units.scale = std::max(divisor, 1);
  units.largest = (high - low) / units.scale;
  units.offset.assign(static_cast<size_t>(problem.in), low);
  for (size_t code = 0; code < problem.code_integers.size(); ++code)
    units.unit[code] = static_cast<uint8_t>((problem.code_integers[code] - low) / units.scale);
  return units;
}

std::vector<int> weight_values(const ConvProblem& problem) {
  std::array<bool, 256> present = {};
  // Parts of a few known values, as almost all are, can be told by vectors.
  constexpr size_t kPart = 4096;
  std::array<int8_t, 4> known;
  known.fill(problem.weights.front());
  for (size_t first = 0; first < problem.weights.size(); first += kPart) {
    const auto part =
        problem.weights.subspan(first, std::min(kPart, problem.weights.size() - first));
    int others = first == 0;
    for (const int8_t weight : part)
      others |=
          (weight != known[0]) & (weight != known[1]) & (weight != known[2]) & (weight != known[3]);
    if (others == 0) continue;
    for (const int8_t weight : part) present[static_cast<uint8_t>(weight)] = true;
    size_t count = 0;
    for (int value = -128; value < 128 && count < known.size(); ++value)
      if (present[static_cast<uint8_t>(value)]) known[count++] = static_cast<int8_t>(value);
  }
  std::vector<int> values;
  for (int value = 127; value >= -128; --value)
    if (present[static_cast<uint8_t>(value)]) values.push_back(value);
  return values;
}

int weight_scale(const std::vector<int>& values) {
  int divisor = 0;
  for (const int weight : values) divisor = std::gcd(divisor, weight);
  return std::max(divisor, 1);
}

std::vector<int32_t> offset_sums(const ConvProblem& problem, const CodeUnits& units) {
  const int taps = problem.kernel * problem.kernel, in = problem.in / problem.groups;
  std::vector<int32_t> sums(static_cast<size_t>(taps) * static_cast<size_t>(problem.out));
  const auto [least, most] = std::ranges::minmax(units.offset);
  if (least == 0 && most == 0) return sums;
  const int8_t* weight = problem.weights.data();
  for (int out = 0; out < problem.out; ++out) {
    const int first_in = out / (problem.out / problem.groups) * in;
    for (int tap = 0; tap < taps; ++tap, weight += in) {
      int32_t& sum = sums[static_cast<size_t>(tap) * problem.out + out];
      if (least == most) {
        for (int i = 0; i < in; ++i) sum += weight[i];
        sum *= least;
      } else {
        for (int i = 0; i < in; ++i)
          sum += units.offset[static_cast<size_t>(first_in + i)] * weight[i];
      }
    }
  }
  return sums;
}

void check(const ConvProblem& problem) {
  check_sizes(problem);
  const int in = problem.in / problem.groups;
  const size_t inputs = static_cast<size_t>(problem.kernel * problem.kernel) * in;
  if (problem.weights.size() != inputs * problem.out)
    throw core::usage_error("{} weights instead of {}", problem.weights.size(),
                            inputs * problem.out);
  if (problem.code_integers.empty() &&
      problem.zero_points.size() != static_cast<size_t>(problem.in))
    throw core::usage_error("{} zero points instead of {}", problem.zero_points.size(), problem.in);
  if (problem.code_integers.size() > 256)
    throw core::usage_error("{} codes do not fit a byte", problem.code_integers.size());
  std::vector<int64_t> largest(static_cast<size_t>(problem.in));
  for (int channel = 0; channel < problem.in; ++channel)
    largest[channel] = largest_integer(problem, channel);
  // Mostly the simple bound, of which each part is at its largest, says enough.
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  if (largest_sum(problem.weights, problem.out) * std::ranges::max(largest) <= kMost) return;
  const int8_t* weight = problem.weights.data();
  for (int out = 0; out < problem.out; ++out) {
    const int64_t* largest_in = &largest[out / (problem.out / problem.groups) * in];
    int64_t sum = 0;
    for (int tap = 0; tap < problem.kernel * problem.kernel; ++tap)
      for (int channel = 0; channel < in; ++channel)
        sum += std::abs(int64_t{*weight++}) * largest_in[channel];
    if (sum > kMost)
      throw core::usage_error("the sums of output channel {} may not fit 32 bits", out);
  }
}

}  // namespace lowbit::runtime
