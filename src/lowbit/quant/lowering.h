// A quantizer in evaluation as a step function: what deployment knows of a method.
#pragma once

#include <torch/types.h>

#include <functional>
#include <vector>

namespace lowbit::quant {

// A monotone map from a real to one of a few levels: levels[k] from thresholds[k - 1] on up to
// below thresholds[k].
struct StepFunction {
  std::vector<float> thresholds;  // ascending, one fewer than levels
  std::vector<float> levels;      // of code 0, 1, ...; neighbors differ

  // The number of thresholds that are <= x; of NaN 0.
  int code(float x) const;
  float level(float x) const { return levels[static_cast<size_t>(code(x))]; }
};

// The step function that `value`, monotone and piecewise constant on the float32 numbers, is: its
// thresholds are found by bisecting `value` itself, so that both agree on every number. Negative
// and positive zero must have the same value. No number at either end is an Error (failure).
StepFunction step_function(const std::function<float(float)>& value);

struct Lowering {
  std::vector<StepFunction> groups;  // one, or one for each quantization group
  // A factor on the level that depends on the input, shaped to broadcast over it; undefined: 1.
  torch::Tensor factor;
  // Where the factor is the mean over these dimensions of |x| (or of x itself) plus an offset;
  // empty: it is something else.
  std::vector<int64_t> factor_mean_dims;
  bool factor_of_magnitudes = true;
  double factor_offset = 0;
  // The code is that of x / factor instead of that of x.
  bool factor_divides_input = false;
};

// What the quantizer's forward gives for x by its lowering: [.] x's shape, float32. `group_of(i)`
// is the group of element i in row-major order.
torch::Tensor apply_lowering(const Lowering& lowering, const torch::Tensor& x,
                             const std::function<int64_t(int64_t)>& group_of);

}  // namespace lowbit::quant
