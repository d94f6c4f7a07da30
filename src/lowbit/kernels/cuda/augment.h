// kernels/augment.h on a CUDA stream: one launch.
#pragma once

#include "lowbit/kernels/augment.h"

namespace lowbit::kernels::cuda {

void assemble_batch(const AssembleBatch& args, Stream stream);

}  // namespace lowbit::kernels::cuda
