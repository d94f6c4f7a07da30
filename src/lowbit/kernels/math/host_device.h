// Marks a function that the host and CUDA kernels both call: a formula stands once.
#pragma once

#if defined(__CUDACC__)
#define LOWBIT_HOST_DEVICE __host__ __device__
#else
#define LOWBIT_HOST_DEVICE
#endif
