// Operations over the features of several branches side by side as channels, [B, K * C, H, W].
#pragma once

#include <torch/types.h>

namespace lowbit::exec {

// y + shared [B, C, H, W], added to each branch.
torch::Tensor add_to_each(const torch::Tensor& y, const torch::Tensor& shared);

// graph::ScaledSum. scales [K]
torch::Tensor scaled_sum(const torch::Tensor& y, const torch::Tensor& scales);

}  // namespace lowbit::exec
