#include "lowbit/nn/space_to_depth.h"

#include "lowbit/core/error.h"

namespace lowbit::nn {
namespace {

// The pixel-shuffling operators of ATen answer in [B, C, H, W] on a GPU; channels-last features
// would be copied twice.
bool is_channels_last(const torch::Tensor& x) {
  return x.suggest_memory_format() == torch::MemoryFormat::ChannelsLast;
}

}  // namespace

torch::Tensor space_to_depth(const torch::Tensor& x, int64_t cell) {
  if (x.size(2) % cell != 0 || x.size(3) % cell != 0)
    throw core::usage_error("features of {} x {} pixels cannot be cut into cells of {} x {} pixels",
                            x.size(2), x.size(3), cell, cell);
  const int64_t batch = x.size(0), channels = x.size(1), height = x.size(2), width = x.size(3);
  if (!is_channels_last(x)) return torch::pixel_unshuffle(x, cell);
  return x.view({batch, channels, height / cell, cell, width / cell, cell})
      .permute({0, 2, 4, 1, 3, 5})
      .reshape({batch, height / cell, width / cell, channels * cell * cell})
      .permute({0, 3, 1, 2});
}

torch::Tensor depth_to_space(const torch::Tensor& x, int64_t cell) {
  if (!is_channels_last(x)) return torch::pixel_shuffle(x, cell);
  const int64_t batch = x.size(0), channels = x.size(1) / (cell * cell), height = x.size(2),
                width = x.size(3);
  return x.view({batch, channels, cell, cell, height, width})
      .permute({0, 4, 2, 5, 3, 1})
      .reshape({batch, height * cell, width * cell, channels})
      .permute({0, 3, 1, 2});
}

}  // namespace lowbit::nn
