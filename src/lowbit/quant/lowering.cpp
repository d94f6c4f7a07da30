#include "lowbit/quant/lowering.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "lowbit/core/error.h"

namespace lowbit::quant {
namespace {

// float32 numbers in ascending order as integers: the order of -0 and +0 included.
int64_t rank_of(float x) {
  const auto bits = std::bit_cast<int32_t>(x);
  return bits >= 0 ? int64_t{bits} : -1 - (int64_t{bits} - std::numeric_limits<int32_t>::min());
}
float of_rank(int64_t rank) {
  const int64_t bits = rank >= 0 ? rank : std::numeric_limits<int32_t>::min() + (-1 - rank);
  return std::bit_cast<float>(static_cast<int32_t>(bits));
}

// Appends to `steps` every threshold in (low, high].
void bisect(const std::function<float(float)>& value, int64_t low, float low_value, int64_t high,
            float high_value, StepFunction& steps) {
  if (low_value == high_value) return;
  if (high - low == 1) {
    steps.thresholds.push_back(of_rank(high));
    steps.levels.push_back(high_value);
    return;
  }
  const int64_t middle = low + (high - low) / 2;
  const float middle_value = value(of_rank(middle));
  bisect(value, low, low_value, middle, middle_value, steps);
  bisect(value, middle, middle_value, high, high_value, steps);
}

}  // namespace

int StepFunction::code(float x) const {
  return static_cast<int>(std::upper_bound(thresholds.begin(), thresholds.end(), x) -
                          thresholds.begin());
}

StepFunction step_function(const std::function<float(float)>& value) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  const int64_t low = rank_of(-kLargest), high = rank_of(kLargest);
  const float low_value = value(-kLargest), high_value = value(kLargest);
  if (std::isnan(low_value) || std::isnan(high_value))
    throw core::failure("a quantizer gives no numbers: its parameters are not usable");
  StepFunction steps{{}, {low_value}};
  bisect(value, low, low_value, high, high_value, steps);
  return steps;
}

torch::Tensor apply_lowering(const Lowering& lowering, const torch::Tensor& x,
                             const std::function<int64_t(int64_t)>& group_of) {
  const torch::NoGradGuard no_grad;
  const bool divides = lowering.factor.defined() && lowering.factor_divides_input;
  const torch::Tensor in = (divides ? x / lowering.factor : x).contiguous();
  torch::Tensor y = torch::empty_like(in);
  const float* from = in.const_data_ptr<float>();
  float* to = y.mutable_data_ptr<float>();
  const bool one = lowering.groups.size() == 1;
  for (int64_t i = 0; i < in.numel(); ++i)
    to[i] = lowering.groups[one ? 0 : static_cast<size_t>(group_of(i))].level(from[i]);
  return lowering.factor.defined() ? y * lowering.factor : y;
}

}  // namespace lowbit::quant
