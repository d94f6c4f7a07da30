#include "lowbit/optim/adam.h"

#include <ATen/ops/_fused_adam.h>

namespace lowbit::optim {
namespace {

constexpr double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;

}  // namespace

Adam::Adam(std::vector<ParameterGroup> groups)
    : Optimizer(std::move(groups)),
      means_(zeros()),
      squares_(zeros()),
      steps_(torch::zeros({static_cast<int64_t>(parameters().size())},
                          torch::dtype(torch::kFloat32).device(device()))),
      step_of_(steps_.unbind()) {}

void Adam::step(const std::vector<torch::Tensor>& gradients, const torch::Tensor& skip) {
  const torch::NoGradGuard no_grad;
  steps_.add_(1 - skip);
  size_t first = 0;
  for (size_t i = 0; i < groups().size(); ++i) {
    const ParameterGroup& group = groups()[i];
    at::_fused_adam_(group.parameters, gradients_of(gradients, first, group),
                     part(means_, first, group), part(squares_, first, group),
                     /*max_exp_avg_sqs=*/{}, part(step_of_, first, group), rate(i), beta1, beta2,
                     group.weight_decay, epsilon, /*amsgrad=*/false, /*maximize=*/false,
                     /*grad_scale=*/{}, skip);
    first += group.parameters.size();
  }
}

checkpoint::Dict Adam::settings(const ParameterGroup& group) const {
  return {{"betas", checkpoint::Tuple{{beta1, beta2}}},
          {"eps", epsilon},
          {"weight_decay", group.weight_decay},
          {"amsgrad", false},
          {"maximize", false},
          {"foreach", checkpoint::Value()},
          {"capturable", false},
          {"differentiable", false},
          {"fused", checkpoint::Value()}};
}

}  // namespace lowbit::optim
