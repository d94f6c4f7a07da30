// Weights seen as groups, and what is done to each group around a quantizer.
#pragma once

#include <torch/types.h>

#include "lowbit/quant/quantizer.h"

namespace lowbit::quant {

// x [O, ...] split evenly along memory in contiguous order, without moving data where a group is a
// number of whole output channels: [groups, O / groups, ...], otherwise [groups, size / groups].
torch::Tensor split_groups(const torch::Tensor& x, int64_t groups);

// `factor` with one number per group times the groups of x [O, ...]; the product has the type of x.
torch::Tensor scale_groups(const torch::Tensor& x, const torch::Tensor& factor);

// The magnitude that all elements of a group of y [O, ...] share: [groups, 1, 1, 1], float64.
torch::Tensor magnitudes(const torch::Tensor& y, int64_t groups);
// The same with the signs of gamma, one number per group that y has been multiplied by; undefined:
// none.
torch::Tensor signed_magnitudes(const torch::Tensor& y, int64_t groups, const torch::Tensor& gamma);

// --wt_adaptive var-mean: what is quantized is (x - mean) / std instead of x; with
// `adaptive_restore` the result is multiplied by std again and mean is added. Mean and unbiased
// standard deviation are those of a group (of the whole weight with `independent_norm`) and no
// gradient passes through them. No epsilon: a constant group gives NaN. One kernel each way; the
// formulas are in kernels/math/normalize.h.
class WeightNormalization {
 public:
  // Does nothing unless x is a weight [O, ...] whose options ask for it.
  WeightNormalization(const torch::Tensor& x, const Quantizer& quantizer);

  // x: the weight that the constructor got.
  torch::Tensor normalize(const torch::Tensor& x) const { return enabled_ ? normalized_ : x; }
  torch::Tensor restore(const torch::Tensor& y) const;

  // The formula of a quantization group with the two above around it, in float32 with their
  // roundings; and the grid.
  CodeFormula around(CodeFormula formula, int64_t group) const;
  Grid around(Grid grid) const;

 private:
  int64_t groups_;
  bool enabled_, restores_;
  torch::Tensor normalized_, mean_, std_;  // the last two [groups]
};

}  // namespace lowbit::quant
