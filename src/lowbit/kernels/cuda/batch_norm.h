// kernels/batch_norm.h on a CUDA stream: two launches each, the second of which goes through the
// rows backward and finds the last of them in the cache.
#pragma once

#include "lowbit/kernels/batch_norm.h"

namespace lowbit::kernels::cuda {

void batch_norm_forward(const BatchNormForward& args, Stream stream);
void batch_norm_backward(const BatchNormBackward& args, Stream stream);

}  // namespace lowbit::kernels::cuda
