#include "lowbit/quant/lowering.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "lowbit/core/error.h"

namespace lowbit::quant {
namespace {

constexpr float kLargest = std::numeric_limits<float>::max();

// float32 numbers in ascending order as integers: the order of -0 and +0 included.
int64_t rank_of(float x) {
  const auto bits = std::bit_cast<int32_t>(x);
  return bits >= 0 ? int64_t{bits} : -1 - (int64_t{bits} - std::numeric_limits<int32_t>::min());
}
float of_rank(int64_t rank) {
  const int64_t bits = rank >= 0 ? rank : std::numeric_limits<int32_t>::min() + (-1 - rank);
  return std::bit_cast<float>(static_cast<int32_t>(bits));
}

// The first rank in (low, high] that is `beyond`: low is not, high is, and whatever is above one
// that is, is. Steps away from `guess`, ever wider, so that a good one costs a few calls.
template <class Beyond>
int64_t first_beyond(int64_t low, int64_t high, int64_t guess, const Beyond& beyond) {
  const int64_t start = std::clamp(guess, low + 1, high);
  const bool descends = beyond(start);
  (descends ? high : low) = start;
  for (int64_t width = 1; high - low > 1; width *= 2) {
    const int64_t at = descends ? high - width : low + width;
    if (at <= low || at >= high) break;
    const bool is_beyond = beyond(at);
    (is_beyond ? high : low) = at;
    if (is_beyond != descends) break;
  }
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    (beyond(middle) ? high : low) = middle;
  }
  return high;
}

int64_t rank_near(double x) {
  if (std::isnan(x)) return 0;
  return rank_of(static_cast<float>(std::clamp<double>(x, -kLargest, kLargest)));
}

}  // namespace

int StepFunction::step(float x) const {
  return static_cast<int>(std::upper_bound(thresholds.begin(), thresholds.end(), x) -
                          thresholds.begin());
}

CodeFormula times(CodeFormula formula, float factor) {
  formula.level = [level = std::move(formula.level), factor](float code) {
    return level(code) * factor;
  };
  return formula;
}

StepFunction step_function(const CodeFormula& formula) {
  const float first = formula.code(-kLargest), last = formula.code(kLargest);
  if (std::isnan(formula.level(first)) || std::isnan(formula.level(last)))
    throw core::failure("a quantizer gives no numbers: its parameters are not usable");
  const auto code_of = [&formula](float code) { return static_cast<int>(code - formula.lowest); };
  StepFunction steps{{}, {formula.level(first)}, {code_of(first)}};
  const int64_t end = rank_of(kLargest);
  int64_t low = rank_of(-kLargest);
  for (float code = first + 1; code <= last; ++code) {
    const int64_t threshold =
        first_beyond(low, end, rank_near(formula.edge(code)),
                     [&](int64_t at) { return formula.code(of_rank(at)) >= code; });
    low = threshold - 1;
    // A code that no number has, or whose level is that of the code before, is no step.
    if (formula.code(of_rank(threshold)) != code || formula.level(code) == steps.levels.back())
      continue;
    steps.thresholds.push_back(of_rank(threshold));
    steps.levels.push_back(formula.level(code));
    steps.codes.push_back(code_of(code));
  }
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
