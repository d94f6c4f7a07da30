// Not a .cu file: nvcc cannot read the formatting library behind core/error.h.
#ifdef LOWBIT_CUDA

#include "lowbit/kernels/cuda/launch_error.h"

#include <cuda_runtime_api.h>

#include "lowbit/core/error.h"

namespace lowbit::kernels::cuda {

void check_launch(const char* op) {
  const cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess)
    throw core::failure("{}: the CUDA launch failed: {}", op, cudaGetErrorString(error));
}

}  // namespace lowbit::kernels::cuda

#endif
