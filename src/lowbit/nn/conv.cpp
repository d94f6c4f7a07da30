#include "lowbit/nn/conv.h"

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
  return convolve(x, weight_.to(x.scalar_type()), shape_.padding);
}

torch::Tensor Conv2d::convolve(const torch::Tensor& x, const torch::Tensor& weight,
                               int64_t padding) const {
  const torch::Tensor bias = bias_.defined() ? bias_.to(x.scalar_type()) : bias_;
  return torch::conv2d(x, weight, bias, shape_.stride, padding, /*dilation=*/1, shape_.groups);
}

}  // namespace lowbit::nn
