// A norm in training with what follows it, in the passes over memory that it takes anyway.
#pragma once

#include <torch/types.h>

#include <memory>
#include <optional>

#include "lowbit/kernels/math/norm_activation.h"
#include "lowbit/quant/quantizer.h"

namespace lowbit::nn {

struct NormPass {
  // [C], float32 (float64 of float64 features). The last two are moved.
  torch::Tensor weight, bias, running_mean, running_var;
  double momentum = 0.1, eps = 1e-5;
  torch::Tensor skip;  // of the sizes, type and memory format of x; undefined: none
  kernels::NormActivation activation = kernels::NormActivation::none;
  std::optional<quant::Quantizer::FeatureForm> quantizer;  // not together with a skip
  std::shared_ptr<quant::Workspace> workspace;             // of kernels::kNormWorkspaceBytes
};

// quantizer(activation(batch_norm(x) + skip)), of features that has_fused_passes() takes, with more
// than one pixel and at most kernels::kMostNormChannels channels. The values and the gradients of x
// and of the skip have the same bits as when each operation is done by itself.
torch::Tensor norm_pass(const torch::Tensor& x, const NormPass& pass);

}  // namespace lowbit::nn
