// kernels/lq.h on a CUDA stream: one launch each. Sums are made in an order that depends on the
// size alone.
#pragma once

#include "lowbit/kernels/lq.h"

namespace lowbit::kernels::cuda {

void lq_build_tables(const LqBuildTables& args, Stream stream);
void lq_forward(const LqForward& args, Stream stream);
void lq_learn(const LqLearn& args, Stream stream);
void lq_backward(const LqBackward& args, Stream stream);

}  // namespace lowbit::kernels::cuda
