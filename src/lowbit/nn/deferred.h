// Features whose last operations are still to be done, so that one pass over memory can do several.
#pragma once

#include <torch/types.h>

#include "lowbit/nn/layer.h"
#include "lowbit/nn/norm_pass.h"

namespace lowbit::nn {

class BatchNorm;

// Layers and sums one after another, as if each were computed at once. A norm waits for what comes
// next: the sum with a skip, an activation, the quantizer of a convolution. Layers that somebody
// watches, and features that has_fused_passes() does not take, are computed at once indeed.
class Deferred {
 public:
  explicit Deferred(torch::Tensor x) : x_(std::move(x)) {}

  void pass_through(Layer& layer);
  void add(const torch::Tensor& skip);

  torch::IntArrayRef sizes() const { return x_.sizes(); }
  // The features, with everything done.
  const torch::Tensor& tensor();

 private:
  bool takes_skip(const torch::Tensor& skip) const;
  NormPass pass() const;

  torch::Tensor x_;
  BatchNorm* norm_ = nullptr;  // waits to be applied to x_; null: nothing waits
  torch::Tensor skip_;         // then added; undefined: none
  kernels::NormActivation activation_ = kernels::NormActivation::none;
};

}  // namespace lowbit::nn
