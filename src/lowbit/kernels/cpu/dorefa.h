// kernels/dorefa.h with threads and vector instructions, results as in cpu/lsq.h.
#pragma once

#include "lowbit/kernels/dorefa.h"

namespace lowbit::kernels::cpu {

void dorefa_weight_forward(const DorefaWeightForward& args);
void dorefa_weight_backward(const DorefaWeightBackward& args);
void binary_weight_forward(const BinaryWeightForward& args);

}  // namespace lowbit::kernels::cpu
