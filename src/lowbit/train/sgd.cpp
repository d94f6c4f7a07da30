#include "lowbit/train/sgd.h"

#include <ATen/ops/_fused_sgd.h>

#include <map>

namespace lowbit::train {
namespace {

// The fused update walks parameter and gradient in memory order, so both need the same strides.
torch::Tensor in_layout_of(const torch::Tensor& parameter, const torch::Tensor& gradient) {
  if (!gradient.defined()) return torch::zeros_like(parameter);
  if (gradient.strides() == parameter.strides()) return gradient;
  return torch::empty_like(parameter).copy_(gradient);
}

}  // namespace

Sgd::Sgd(std::vector<ParameterGroup> groups, const config::TrainOptions& options)
    : momentum_(options.momentum), nesterov_(options.nesterov) {
  regroup(std::move(groups));
  const auto device = parameters_.empty() ? torch::Device(torch::kCPU) : parameters_[0].device();
  rate_ = torch::zeros({}, torch::dtype(torch::kFloat32).device(device));
}

void Sgd::regroup(std::vector<ParameterGroup> groups) {
  std::map<std::string, torch::Tensor> old;
  for (size_t i = 0; i < names_.size(); ++i) old[names_[i]] = velocities_[i];
  groups_ = std::move(groups);
  names_.clear();
  parameters_.clear();
  velocities_.clear();
  for (const ParameterGroup& group : groups_) {
    names_.insert(names_.end(), group.names.begin(), group.names.end());
    for (const torch::Tensor& parameter : group.parameters) {
      parameters_.push_back(parameter);
      velocities_.push_back(torch::zeros_like(parameter.detach()));
      const auto found = old.find(names_[velocities_.size() - 1]);
      if (found != old.end() && found->second.sizes() == parameter.sizes())
        velocities_.back().copy_(found->second);
    }
  }
}

void Sgd::set_learning_rate(double rate) {
  rate_.fill_(rate);
}

void Sgd::clear_momentum(const torch::Tensor& parameter) {
  for (size_t i = 0; i < parameters_.size(); ++i)
    if (parameters_[i].is_same(parameter)) velocities_[i].zero_();
}

void Sgd::step(const std::vector<torch::Tensor>& gradients, const torch::Tensor& skip) {
  const torch::NoGradGuard no_grad;
  size_t next = 0;
  for (const ParameterGroup& group : groups_) {
    std::vector<torch::Tensor> parameters, gradient, velocity;
    for (const torch::Tensor& parameter : group.parameters) {
      const size_t i = next++;
      parameters.push_back(parameter);
      gradient.push_back(in_layout_of(parameter, gradients[i]));
      velocity.push_back(velocities_[i]);
    }
    at::_fused_sgd_(parameters, gradient, velocity, group.weight_decay, momentum_, rate_,
                    /*dampening=*/0, nesterov_, /*maximize=*/false, /*is_first_step=*/false,
                    /*grad_scale=*/{}, skip);
  }
}

}  // namespace lowbit::train
