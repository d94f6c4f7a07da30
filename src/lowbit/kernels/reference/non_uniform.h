// kernels/non_uniform.h as the plainest loops: one thread, one element after the other. What every
// other kernel is compared with.
#pragma once

#include "lowbit/kernels/non_uniform.h"

namespace lowbit::kernels::reference {

void non_uniform_forward(const NonUniformForward& args);
void non_uniform_fit(const NonUniformFit& args);
void non_uniform_backward(const NonUniformBackward& args);

}  // namespace lowbit::kernels::reference
