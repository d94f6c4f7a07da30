// kernels/pact.h as the plainest loops: one thread, one element after the other. What every other
// kernel is compared with.
#pragma once

#include "lowbit/kernels/pact.h"

namespace lowbit::kernels::reference {

void pact_forward(const PactForward& args);
void pact_backward(const PactBackward& args);

}  // namespace lowbit::kernels::reference
