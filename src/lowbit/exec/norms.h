// Normalization. Parameters and statistics stay float32 (float64 in a float64 network) for
// half-precision features.
#pragma once

#include <torch/types.h>

#include <span>

#include "lowbit/graph/operations.h"
#include "lowbit/nn/norm_pass.h"

namespace lowbit::exec {

// x, weight, bias, running_mean, running_var[, num_batches_tracked]. In training statistics are
// taken over the processes that GroupScope names.
torch::Tensor normalize(const graph::BatchNorm& op, std::span<const torch::Tensor> in,
                        bool training);
// Whether nn::norm_pass computes that.
bool has_norm_pass(const graph::BatchNorm& op, std::span<const torch::Tensor> in, bool training);
// Of has_norm_pass(): the norm alone, still without a workspace.
nn::NormPass norm_pass(const graph::BatchNorm& op, std::span<const torch::Tensor> in);
// x, weight, bias
torch::Tensor normalize(const graph::GroupNorm& op, std::span<const torch::Tensor> in);
torch::Tensor normalize(const graph::InstanceNorm& op, const torch::Tensor& x);

}  // namespace lowbit::exec
