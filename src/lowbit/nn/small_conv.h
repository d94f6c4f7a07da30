// Convolutions of few channels in half precision, by kernels of this project: libraries take
// several times as long for them, above all for the gradient of the weight.
#pragma once

#include <torch/types.h>

#include <optional>

namespace lowbit::nn {

// Of the two axes, height and width.
struct ConvSteps {
  std::vector<int64_t> stride, padding, dilation;
  int64_t groups = 1;
};

// As torch::conv2d; nothing where there is no kernel for it (kernels/convolution.h), for features
// that are not channels-last, with a bias, and where fused passes are off. Gradients are added in
// the same order in every run.
std::optional<torch::Tensor> small_conv(const torch::Tensor& x, const torch::Tensor& weight,
                                        const torch::Tensor& bias, const ConvSteps& steps);

}  // namespace lowbit::nn
