// kernels/normalize.h on a CUDA stream: one launch each (normalize_forward over a few large groups:
// two). Sums are made in an order that depends on the sizes alone.
#pragma once

#include "lowbit/kernels/normalize.h"

namespace lowbit::kernels::cuda {

void normalize_forward(const NormalizeForward& args, Stream stream);
void normalize_backward(const NormalizeBackward& args, Stream stream);
void restore_forward(const RestoreForward& args, Stream stream);
void restore_backward(const RestoreBackward& args, Stream stream);

}  // namespace lowbit::kernels::cuda
