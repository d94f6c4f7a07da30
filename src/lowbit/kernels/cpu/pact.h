// kernels/pact.h with threads and vector instructions. How a sum is cut into parts depends on the
// size alone, so the result is the same with any number of threads and any instruction set.
#pragma once

#include "lowbit/kernels/pact.h"

namespace lowbit::kernels::cpu {

void pact_forward(const PactForward& args);
void pact_backward(const PactBackward& args);

}  // namespace lowbit::kernels::cpu
