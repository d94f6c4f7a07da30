// LibTorch's tensors as the kernels see them: types, streams, back ends.
#pragma once

#include <torch/types.h>

#include "lowbit/kernels/types.h"

namespace lowbit::tensor {

// float64, float32, float16 or bfloat16; an Error (failure) for any other.
kernels::ScalarType scalar_type(torch::ScalarType type);

// The stream on which LibTorch enqueues work for the device now; nullptr for the CPU.
kernels::Stream current_stream(torch::Device device);

// Which implementation the process uses for tensors of a device: cuda for a GPU's; on the CPU the
// fast one, or the plain one if use_reference_kernels(true) was called.
kernels::Backend backend(torch::Device device);
void use_reference_kernels(bool use);

inline kernels::Input input(const torch::Tensor& x) {
  return {x.const_data_ptr(), scalar_type(x.scalar_type())};
}
inline kernels::Output output(const torch::Tensor& x) {
  return {x.data_ptr(), scalar_type(x.scalar_type())};
}

}  // namespace lowbit::tensor
