// Max-pooling by kernels of this project, or LibTorch's where they do not take the features.
#pragma once

#include <torch/types.h>

namespace lowbit::nn {

struct PoolWindows {
  int64_t size, stride, padding;
  bool ceil = false;  // a rest at the border is a window of its own
};

// As torch::max_pool2d. Where has_fused_passes(x), a byte for each maximum is kept instead of an
// int64, and gradients are added in a fixed order.
torch::Tensor max_pool(const torch::Tensor& x, const PoolWindows& windows);

}  // namespace lowbit::nn
