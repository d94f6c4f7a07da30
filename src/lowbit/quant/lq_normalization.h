// What LQ-Nets does to a weight around its quantizer.
#pragma once

#include <torch/types.h>

#include "lowbit/quant/quantizer.h"

namespace lowbit::quant {

// --wt_adaptive mean (only subtracted), var (only divided by) or mean-var: what is quantized is
// (x - mean) / (std + 1e-5) instead of x, and the result is multiplied by std + 1e-5 again and mean
// is added. Mean and unbiased standard deviation are those of a quantization group. No gradient
// passes through here: the weights' is that of the identity.
class LqNormalization {
 public:
  // Does nothing unless x is a weight [O, ...] whose options ask for it.
  LqNormalization(const torch::Tensor& x, const Quantizer& quantizer);

  torch::Tensor normalize(const torch::Tensor& x) const;
  torch::Tensor restore(const torch::Tensor& y) const;

  // The formula of a group with the two above around it, in float32 with their roundings; and the
  // grid.
  CodeFormula around(CodeFormula formula, int64_t group) const;
  Grid around(Grid grid) const;

 private:
  int64_t groups_;
  torch::Tensor mean_, std_;  // shaped to broadcast over split_groups; undefined: 0, 1
};

}  // namespace lowbit::quant
