#include "lowbit/tensor/tensor.h"

#include "lowbit/core/error.h"

#ifdef LOWBIT_CUDA
#include <c10/cuda/CUDAStream.h>
#endif

namespace lowbit::tensor {
namespace {

bool reference_kernels = false;

}  // namespace

kernels::ScalarType scalar_type(torch::ScalarType type) {
  switch (type) {
    case torch::kFloat64:
      return kernels::ScalarType::float64;
    case torch::kFloat32:
      return kernels::ScalarType::float32;
    case torch::kFloat16:
      return kernels::ScalarType::float16;
    case torch::kBFloat16:
      return kernels::ScalarType::bfloat16;
    default:
      throw core::failure("no kernels for tensors of type {}", torch::toString(type));
  }
}

kernels::Stream current_stream(torch::Device device) {
#ifdef LOWBIT_CUDA
  if (device.is_cuda()) return c10::cuda::getCurrentCUDAStream(device.index()).stream();
#endif
  return nullptr;
}

kernels::Backend backend(torch::Device device) {
  if (device.is_cuda()) return kernels::Backend::cuda;
  return reference_kernels ? kernels::Backend::reference : kernels::Backend::cpu;
}

void use_reference_kernels(bool use) {
  reference_kernels = use;
}

}  // namespace lowbit::tensor
