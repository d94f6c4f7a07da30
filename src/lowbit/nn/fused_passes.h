// Where layers take passes over memory of this project's own that do several operations at once.
#pragma once

#include <torch/types.h>

namespace lowbit::nn {

// everywhere: on a CPU, too, by plain loops, for tests.
enum class FusedPasses { never, on_gpu, everywhere };

// Of the whole process; on_gpu at the start.
void use_fused_passes(FusedPasses where);

// Whether they are used for tensors of the device.
bool uses_fused_passes(torch::Device device);

// Whether they take x: [B, C, H, W], channels-last, not empty, on a GPU float32, float16 or
// bfloat16 of which 16 bytes are a whole number of channels.
bool has_fused_passes(const torch::Tensor& x);

// Pixels of all images.
inline int64_t pixels_of(const torch::Tensor& x) {
  return x.size(0) * x.size(2) * x.size(3);
}

}  // namespace lowbit::nn
