// A quantizer in evaluation as a step function: what deployment knows of a method.
#pragma once

#include <torch/types.h>

#include <functional>
#include <vector>

#include "lowbit/quant/grid.h"

namespace lowbit::quant {

// A monotone map from a real to one of a few levels: levels[k] from thresholds[k - 1] on up to
// below thresholds[k].
struct StepFunction {
  std::vector<float> thresholds;  // ascending, one fewer than levels
  std::vector<float> levels;      // of step 0, 1, ...; neighbors differ
  std::vector<int> codes;         // of the quantizer's grid, by step

  // The step of x: the number of thresholds that are <= x; of NaN 0.
  int step(float x) const;
  int code(float x) const { return codes[static_cast<size_t>(step(x))]; }
  float level(float x) const { return levels[static_cast<size_t>(step(x))]; }
};

// The formula of one group in float32: y = level(code(x)). Codes are whole numbers from `lowest` to
// `highest` that do not descend; -0 and +0 have the same.
struct CodeFormula {
  std::function<float(float x)> code;
  std::function<float(float code)> level;
  // Where `code` begins, but for the roundings of code(x): it saves a search over all numbers.
  std::function<double(float code)> edge;
  float lowest = 0, highest = 0;
};

// Of a formula of kernels/math/, which has these five as members.
template <class Formula>
CodeFormula code_formula(const Formula& formula) {
  return {[formula](float x) { return formula.code(x); },
          [formula](float code) { return formula.level(code); },
          [formula](float code) { return formula.edge(code); }, formula.lowest(),
          formula.highest()};
}

// The same with another result: level(code) * factor, in float32.
CodeFormula times(CodeFormula formula, float factor);

// The step function that the formula is. Each threshold is the very float32 number at which the
// formula's code changes. No number at either end is an Error (failure).
StepFunction step_function(const CodeFormula& formula);

struct Lowering {
  Grid grid;                         // on the CPU
  std::vector<StepFunction> groups;  // one, or one for each quantization group
  // A factor on the level that depends on the input, shaped to broadcast over it; undefined: 1.
  torch::Tensor factor;
  // Where the factor is the mean over these dimensions of |x| (or of x itself) plus an offset;
  // empty: it is something else.
  std::vector<int64_t> factor_mean_dims;
  bool factor_of_magnitudes = true;
  double factor_offset = 0;
  // The step is that of x / factor instead of that of x.
  bool factor_divides_input = false;
};

// What the quantizer's forward gives for x by its lowering: [.] x's shape, float32. `group_of(i)`
// is the group of element i in row-major order.
torch::Tensor apply_lowering(const Lowering& lowering, const torch::Tensor& x,
                             const std::function<int64_t(int64_t)>& group_of);

}  // namespace lowbit::quant
