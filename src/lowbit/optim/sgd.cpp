#include "lowbit/optim/sgd.h"

#include <ATen/ops/_fused_sgd.h>

namespace lowbit::optim {

Sgd::Sgd(std::vector<ParameterGroup> groups, const config::TrainOptions& options)
    : Optimizer(std::move(groups)),
      velocities_(zeros()),
      momentum_(options.momentum),
      nesterov_(options.nesterov) {}

void Sgd::step(const std::vector<torch::Tensor>& gradients, const torch::Tensor& skip) {
  const torch::NoGradGuard no_grad;
  size_t first = 0;
  for (size_t i = 0; i < groups().size(); ++i) {
    const ParameterGroup& group = groups()[i];
    // Without momentum the operator wants no buffers.
    const auto velocities =
        momentum_ == 0 ? std::vector<torch::Tensor>() : part(velocities_, first, group);
    at::_fused_sgd_(group.parameters, gradients_of(gradients, first, group), velocities,
                    group.weight_decay, momentum_, rate(i),
                    /*dampening=*/0, nesterov_, /*maximize=*/false, /*is_first_step=*/false,
                    /*grad_scale=*/{}, skip);
    first += group.parameters.size();
  }
}

checkpoint::Dict Sgd::settings(const ParameterGroup& group) const {
  return {{"momentum", momentum_},
          {"dampening", 0.0},
          {"weight_decay", group.weight_decay},
          {"nesterov", nesterov_}};
}

}  // namespace lowbit::optim
