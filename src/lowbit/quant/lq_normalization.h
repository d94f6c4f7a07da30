// What LQ-Nets does to a weight around its quantizer.
#pragma once

#include <torch/types.h>

#include <functional>

#include "lowbit/quant/quantizer.h"

namespace lowbit::quant {

// --wt_adaptive mean (only subtracted), var (only divided by) or mean-var: what is quantized is
// (x - mean) / (std + 1e-5) instead of x, and the result is multiplied by std + 1e-5 again and mean
// is added. Mean and unbiased standard deviation are those of a quantization group. No gradient
// passes through here: the weights' is that of the identity.
class LqNormalization {
 public:
  // Of a weight x [O, ...]; does nothing unless the options ask for it.
  LqNormalization(const torch::Tensor& x, const Quantizer& quantizer);

  torch::Tensor normalize(const torch::Tensor& x) const;
  torch::Tensor restore(const torch::Tensor& y) const;

  // restore(value(normalize(x))) of single numbers of a group, in float32 with the roundings of the
  // two above.
  std::function<float(float)> around(std::function<float(float)> value, int64_t group) const;

 private:
  int64_t groups_;
  torch::Tensor mean_, std_;  // shaped to broadcast over split_groups; undefined: 0, 1
};

}  // namespace lowbit::quant
