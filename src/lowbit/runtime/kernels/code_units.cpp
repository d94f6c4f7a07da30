#include "lowbit/runtime/kernels/code_units.h"

#include <algorithm>
#include <numeric>

namespace lowbit::runtime {
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
  // Tiling of a few known values, as almost all are, can be told by vectors.
  constexpr size_t kPart = 4096;
  std::array<int8_t, 4> known;
  known.fill(problem.weights.front());
  for (size_t first = 0; first < problem.weights.size(); first += kPart) {
    const auto part =
        problem.weights.subspan(first, std::min(kPart, problem.weights.size() - first));
    int others = first == 0;
    for (const int8_t weight : part) {
      int other = 1;
      for (const int8_t value : known) other &= static_cast<int>(weight != value);
      others |= other;
    }
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

}  // namespace lowbit::runtime
