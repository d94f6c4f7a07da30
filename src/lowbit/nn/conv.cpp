#include "lowbit/nn/conv.h"

#include <torch/nn/init.h>

namespace lowbit::nn {

Conv2d::Conv2d(const ConvShape& shape) : shape_(shape) {
  weight_ = register_parameter(
      "weight", torch::empty({shape.out, shape.in / shape.groups, shape.kernel, shape.kernel}));
  torch::nn::init::kaiming_normal_(weight_, 0, torch::kFanOut, torch::kReLU);
  if (shape.bias) bias_ = register_parameter("bias", torch::zeros({shape.out}));
}

void Conv2d::use_channels_last() {
  weight_.set_data(weight_.data().contiguous(torch::MemoryFormat::ChannelsLast));
}

torch::Tensor Conv2d::compute(const torch::Tensor& x) {
  const torch::ScalarType type = x.scalar_type();
  return convolve(x, weight_.to(type), bias(type), shape_.padding, shape_.groups);
}

torch::Tensor Conv2d::convolve(const torch::Tensor& x, const torch::Tensor& weight,
                               const torch::Tensor& bias, int64_t padding, int64_t groups) const {
  const auto conv = [&](const torch::Tensor& input, int64_t stride) {
    return torch::conv2d(input, weight, bias, stride, padding, /*dilation=*/1, groups);
  };
  // The stride of a 1x1 convolution only leaves pixels out. Left to oneDNN it ends in a loop
  // without end: the gradient of the weights, channels last, of 3 to 5 input channels (oneDNN of
  // LibTorch 2.11, AVX2).
  const bool only_leaves_out = shape_.kernel == 1 && padding == 0 && shape_.stride > 1;
  if (!x.is_cpu() || !only_leaves_out) return conv(x, shape_.stride);
  constexpr auto kAll = torch::indexing::None;
  const torch::indexing::Slice all, every(kAll, kAll, shape_.stride);
  return conv(x.index({all, all, every, every}), 1);
}

}  // namespace lowbit::nn
