// kernels/convolution.h on a CUDA stream.
#pragma once

#include "lowbit/kernels/convolution.h"

namespace lowbit::kernels::cuda {

bool has_convolution(const ConvolutionShape& shape);
std::int64_t convolution_workspace_bytes(const ConvolutionShape& shape);
void convolution_forward(const ConvolutionForward& args, Stream stream);
void convolution_backward(const ConvolutionBackward& args, Stream stream);

}  // namespace lowbit::kernels::cuda
