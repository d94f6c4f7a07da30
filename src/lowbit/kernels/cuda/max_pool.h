// kernels/max_pool.h on a CUDA stream: one launch each, without atomic additions.
#pragma once

#include "lowbit/kernels/max_pool.h"

namespace lowbit::kernels::cuda {

void max_pool_forward(const MaxPoolForward& args, Stream stream);
void max_pool_backward(const MaxPoolBackward& args, Stream stream);

}  // namespace lowbit::kernels::cuda
