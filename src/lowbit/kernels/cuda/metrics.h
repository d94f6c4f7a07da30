// CUDA side of kernels/metrics.h.
#pragma once

#include "lowbit/kernels/metrics.h"

namespace lowbit::kernels::cuda {

void count_batch(const CountBatch& batch, Stream stream);

}  // namespace lowbit::kernels::cuda
