// kernels/lsq.h with threads and vector instructions. How a sum is cut into parts depends on the
// size alone, so the result is the same with any number of threads and any instruction set.
#pragma once

#include "lowbit/kernels/lsq.h"

namespace lowbit::kernels::cpu {

void lsq_forward(const LsqForward& args);
void lsq_backward(const LsqBackward& args);
void lsq_count_inside(const LsqCountInside& args);

}  // namespace lowbit::kernels::cpu
