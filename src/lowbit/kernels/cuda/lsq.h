// kernels/lsq.h on a CUDA stream: one launch each (the backward pass with ste_scale: two). Sums are
// made in an order that depends on the size alone.
#pragma once

#include "lowbit/kernels/lsq.h"

namespace lowbit::kernels::cuda {

void lsq_forward(const LsqForward& args, Stream stream);
void lsq_backward(const LsqBackward& args, Stream stream);
void lsq_count_inside(const LsqCountInside& args, Stream stream);

}  // namespace lowbit::kernels::cuda
