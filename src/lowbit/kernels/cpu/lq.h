// kernels/lq.h with threads and vector instructions. How a sum is cut into parts depends on the
// size alone, so the result is the same with any number of threads and any instruction set.
#pragma once

#include "lowbit/kernels/lq.h"

namespace lowbit::kernels::cpu {

void lq_build_tables(const LqBuildTables& args);
void lq_forward(const LqForward& args);
void lq_backward(const LqBackward& args);

}  // namespace lowbit::kernels::cpu
