// kernels/pact.h on a CUDA stream: one launch each. Sums are made in an order that depends on the
// size alone.
#pragma once

#include "lowbit/kernels/pact.h"

namespace lowbit::kernels::cuda {

void pact_forward(const PactForward& args, Stream stream);
void pact_backward(const PactBackward& args, Stream stream);

}  // namespace lowbit::kernels::cuda
