// kernels/xnor.h on a CUDA stream: one launch each (means over a few long groups: two). Sums are
// made in an order that depends on the sizes alone.
#pragma once

#include "lowbit/kernels/xnor.h"

namespace lowbit::kernels::cuda {

void xnor_forward(const XnorForward& args, Stream stream);
void xnor_backward(const XnorBackward& args, Stream stream);

}  // namespace lowbit::kernels::cuda
