#include "lowbit/optim/optimizer.h"

#include <map>

#include "lowbit/optim/adam.h"
#include "lowbit/optim/sgd.h"

namespace lowbit::optim {
namespace {

torch::Tensor in_layout_of(const torch::Tensor& parameter, const torch::Tensor& gradient) {
  if (!gradient.defined()) return torch::zeros_like(parameter);
  if (gradient.strides() == parameter.strides()) return gradient;
  return torch::empty_like(parameter).copy_(gradient);
}

}  // namespace

Optimizer::Optimizer(std::vector<ParameterGroup> groups) : groups_(std::move(groups)) {
  for (const ParameterGroup& group : groups_) {
    names_.insert(names_.end(), group.names.begin(), group.names.end());
    parameters_.insert(parameters_.end(), group.parameters.begin(), group.parameters.end());
  }
  rates_.resize(groups_.size(), 0);
  for (size_t group = 0; group < groups_.size(); ++group)
    device_rates_.push_back(torch::zeros({}, torch::dtype(torch::kFloat32).device(device())));
}

torch::Device Optimizer::device() const {
  return parameters_.empty() ? torch::Device(torch::kCPU) : parameters_[0].device();
}

void Optimizer::set_learning_rate(double rate) {
  for (size_t group = 0; group < groups_.size(); ++group) set_learning_rate(group, rate);
}

void Optimizer::set_learning_rate(size_t group, double rate) {
  if (rates_[group] == rate) return;
  rates_[group] = rate;
  device_rates_[group].fill_(rate);
}

void Optimizer::clear_momentum(const torch::Tensor& parameter) {
  for (size_t i = 0; i < parameters_.size(); ++i)
    if (parameters_[i].is_same(parameter))
      for (const State& each : state()) each.tensors[i].zero_();
}

void Optimizer::inherit(const Optimizer& other) {
  const torch::NoGradGuard no_grad;
  std::map<std::string, size_t> places;
  for (size_t i = 0; i < other.names_.size(); ++i) places[other.names_[i]] = i;
  const std::vector<State> to = state(), from = other.state();
  for (size_t i = 0; i < names_.size(); ++i) {
    const auto place = places.find(names_[i]);
    if (place == places.end() ||
        !parameters_[i].sizes().equals(other.parameters_[place->second].sizes()))
      continue;
    for (size_t k = 0; k < to.size(); ++k)
      to[k].tensors[i].copy_(from.at(k).tensors[place->second]);
  }
}

std::vector<torch::Tensor> Optimizer::part(const std::vector<torch::Tensor>& all, size_t first,
                                           const ParameterGroup& group) {
  const auto begin = all.begin() + static_cast<std::ptrdiff_t>(first);
  return {begin, begin + static_cast<std::ptrdiff_t>(group.parameters.size())};
}

std::vector<torch::Tensor> Optimizer::gradients_of(const std::vector<torch::Tensor>& all,
                                                   size_t first, const ParameterGroup& group) {
  std::vector<torch::Tensor> gradients = part(all, first, group);
  for (size_t i = 0; i < gradients.size(); ++i)
    gradients[i] = in_layout_of(group.parameters[i], gradients[i]);
  return gradients;
}

std::vector<torch::Tensor> Optimizer::zeros() const {
  std::vector<torch::Tensor> all;
  for (const torch::Tensor& parameter : parameters_)
    all.push_back(torch::zeros_like(parameter.detach()));
  return all;
}

std::unique_ptr<Optimizer> make_optimizer(std::vector<ParameterGroup> groups,
                                          const config::TrainOptions& options) {
  if (options.optimizer == config::OptimizerKind::adam)
    return std::make_unique<Adam>(std::move(groups));
  return std::make_unique<Sgd>(std::move(groups), options);
}

}  // namespace lowbit::optim
