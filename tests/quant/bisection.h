// A step function found from nothing but its values, as tests know what a quantizer's is.
#pragma once

#include <bit>
#include <cstdint>
#include <functional>
#include <limits>

#include "lowbit/quant/lowering.h"

namespace lowbit::quant {

// The float32 numbers in ascending order as integers, and back.
inline int64_t rank_of_float(float x) {
  const auto bits = std::bit_cast<int32_t>(x);
  return bits >= 0 ? int64_t{bits} : -1 - (int64_t{bits} - std::numeric_limits<int32_t>::min());
}
inline float float_of_rank(int64_t rank) {
  const int64_t bits = rank >= 0 ? rank : std::numeric_limits<int32_t>::min() + (-1 - rank);
  return std::bit_cast<float>(static_cast<int32_t>(bits));
}

// Appends every threshold in (low, high].
inline void bisect(const std::function<float(float)>& value, int64_t low, float low_value,
                   int64_t high, float high_value, StepFunction& steps) {
  if (low_value == high_value) return;
  if (high - low == 1) {
    steps.thresholds.push_back(float_of_rank(high));
    steps.levels.push_back(high_value);
    return;
  }
  const int64_t middle = low + (high - low) / 2;
  const float middle_value = value(float_of_rank(middle));
  bisect(value, low, low_value, middle, middle_value, steps);
  bisect(value, middle, middle_value, high, high_value, steps);
}

// Thresholds and levels, without codes, of a monotone and piecewise constant function of the
// float32 numbers.
inline StepFunction bisected(const std::function<float(float)>& value) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  StepFunction steps{{}, {value(-kLargest)}, {}};
  bisect(value, rank_of_float(-kLargest), steps.levels[0], rank_of_float(kLargest), value(kLargest),
         steps);
  return steps;
}

}  // namespace lowbit::quant
