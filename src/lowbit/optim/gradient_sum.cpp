#include "lowbit/optim/gradient_sum.h"

namespace lowbit::optim {

GradientSum::GradientSum(const std::vector<torch::Tensor>& parameters) {
  int64_t size = 0;
  for (const torch::Tensor& parameter : parameters) size += parameter.numel();
  const auto options = parameters.empty() ? torch::TensorOptions() : parameters[0].options();
  flat_ = torch::zeros({size}, options.requires_grad(false));
  int64_t offset = 0;
  for (const torch::Tensor& parameter : parameters) {
    sums_.push_back(flat_.as_strided(parameter.sizes(), parameter.strides(), offset));
    offset += parameter.numel();
  }
}

const std::vector<torch::Tensor>& GradientSum::add(const std::vector<torch::Tensor>& gradients,
                                                   const torch::Tensor& first) {
  const torch::NoGradGuard no_grad;
  // Not times 0: a gradient that was not finite must not stay.
  flat_.masked_fill_(first, 0);
  std::vector<torch::Tensor> sums, defined;
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i].defined()) continue;
    sums.push_back(sums_[i]);
    defined.push_back(gradients[i]);
  }
  if (!sums.empty()) torch::_foreach_add_(sums, defined);
  return sums_;
}

}  // namespace lowbit::optim
