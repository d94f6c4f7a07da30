// kernels/non_uniform.h on a CUDA stream: one launch each. Sums are made in an order that depends
// on the size alone.
#pragma once

#include "lowbit/kernels/non_uniform.h"

namespace lowbit::kernels::cuda {

void non_uniform_forward(const NonUniformForward& args, Stream stream);
void non_uniform_fit(const NonUniformFit& args, Stream stream);
void non_uniform_fit_sums(const NonUniformFit& args, Stream stream);
void non_uniform_backward(const NonUniformBackward& args, Stream stream);

}  // namespace lowbit::kernels::cuda
