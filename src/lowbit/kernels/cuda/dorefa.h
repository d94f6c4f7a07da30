// kernels/dorefa.h on a CUDA stream: one launch each (large weights: two). Sums are made in an
// order that depends on the size alone.
#pragma once

#include "lowbit/kernels/dorefa.h"

namespace lowbit::kernels::cuda {

void dorefa_weight_forward(const DorefaWeightForward& args, Stream stream);
void dorefa_weight_backward(const DorefaWeightBackward& args, Stream stream);
void binary_weight_forward(const BinaryWeightForward& args, Stream stream);

}  // namespace lowbit::kernels::cuda
