// Reshapes between pixels and channels that lose nothing.
#pragma once

#include <torch/types.h>

namespace lowbit::nn {

// [B, C, H, W] -> [B, C * cell * cell, H / cell, W / cell]: channel c * cell * cell + row * cell +
// column holds the pixels of channel c at that row and column of each cell of cell x cell pixels.
// Keeps the memory format. A size that `cell` does not divide is an Error (usage).
torch::Tensor space_to_depth(const torch::Tensor& x, int64_t cell);

// The exact inverse: [B, C * cell * cell, H, W] -> [B, C, H * cell, W * cell].
torch::Tensor depth_to_space(const torch::Tensor& x, int64_t cell);

}  // namespace lowbit::nn
