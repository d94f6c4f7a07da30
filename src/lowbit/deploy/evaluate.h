// A packed program run by LibTorch on whole batches: the trained network evaluated on codes. It
// shares no arithmetic with the runtime, which must give the same bits.
#pragma once

#include <torch/types.h>

#include <vector>

#include "lowbit/runtime/program_generated.h"

namespace lowbit::deploy {

// Every value of the program for images [B, H, W, 3] uint8 on the CPU: codes as uint8, reals as
// float32, [B, C, H, W]. Value 0 is the image, the last one the logits.
std::vector<torch::Tensor> evaluate(const packed::ModelT& model, const torch::Tensor& images);

}  // namespace lowbit::deploy
