// kernels/dorefa.h as the plainest loops: one thread, one element after the other.
#pragma once

#include "lowbit/kernels/dorefa.h"

namespace lowbit::kernels::reference {

void dorefa_weight_forward(const DorefaWeightForward& args);
void dorefa_weight_backward(const DorefaWeightBackward& args);
void binary_weight_forward(const BinaryWeightForward& args);

}  // namespace lowbit::kernels::reference
