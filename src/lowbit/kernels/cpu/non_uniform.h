// kernels/non_uniform.h with threads and vector instructions. How a sum is cut into parts depends
// on the size alone, so the result is the same with any number of threads and any instruction set.
#pragma once

#include "lowbit/kernels/non_uniform.h"

namespace lowbit::kernels::cpu {

void non_uniform_forward(const NonUniformForward& args);
void non_uniform_fit(const NonUniformFit& args);
void non_uniform_backward(const NonUniformBackward& args);

}  // namespace lowbit::kernels::cpu
