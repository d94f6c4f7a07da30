// What turns gradients into new weights, as a step without host values.
#pragma once

#include <torch/types.h>

#include <memory>
#include <string>
#include <vector>

#include "lowbit/checkpoint/value.h"
#include "lowbit/optim/parameter_groups.h"

namespace lowbit::optim {

class Optimizer {
 public:
  explicit Optimizer(std::vector<ParameterGroup> groups);
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // All parameters, group after group: the order in which step() expects their gradients.
  const std::vector<torch::Tensor>& parameters() const { return parameters_; }
  const std::vector<std::string>& names() const { return names_; }
  const std::vector<ParameterGroup>& groups() const { return groups_; }

  // Enqueues the copy to the device; steps enqueued later use it. The same for all groups, or that
  // of one of groups().
  void set_learning_rate(double rate);
  void set_learning_rate(size_t group, double rate);
  double learning_rate(size_t group) const { return rates_[group]; }

  // One update, one fused launch per group. gradients[i] belongs to parameters()[i]; an undefined
  // one (a parameter that the loss does not depend on) counts as 0. Where skip (float32 [1] on the
  // device) is 1, nothing changes.
  virtual void step(const std::vector<torch::Tensor>& gradients, const torch::Tensor& skip) = 0;

  // Forgets what was gathered about a parameter that was changed by other means; nothing happens
  // where it is not trained. A captured step goes on from there.
  void clear_momentum(const torch::Tensor& parameter);

  // Takes over what `other` gathered about parameters of the same name and size.
  void inherit(const Optimizer& other);

  // What is gathered about each parameter, under torch's name of it: the optimizer's own tensors.
  struct State {
    std::string name;
    std::vector<torch::Tensor> tensors;  // by parameter
  };
  virtual std::vector<State> state() const = 0;

  // What torch's state dict says of a group beside its parameters and its learning rate.
  virtual checkpoint::Dict settings(const ParameterGroup& group) const = 0;

 protected:
  // The part of a list by parameter that belongs to a group. `first`: its first place.
  static std::vector<torch::Tensor> part(const std::vector<torch::Tensor>& all, size_t first,
                                         const ParameterGroup& group);
  // The same of gradients, in the memory layout of their parameters: fused updates walk both in
  // memory order. 0 for undefined ones.
  static std::vector<torch::Tensor> gradients_of(const std::vector<torch::Tensor>& all,
                                                 size_t first, const ParameterGroup& group);
  // Zeros, one for each parameter.
  std::vector<torch::Tensor> zeros() const;
  torch::Device device() const;
  // float32 scalar on the device.
  const torch::Tensor& rate(size_t group) const { return device_rates_[group]; }

 private:
  std::vector<ParameterGroup> groups_;
  std::vector<torch::Tensor> parameters_;
  std::vector<std::string> names_;
  std::vector<double> rates_;  // as the device has them
  std::vector<torch::Tensor> device_rates_;
};

// The optimizer that the options ask for.
std::unique_ptr<Optimizer> make_optimizer(std::vector<ParameterGroup> groups,
                                          const config::TrainOptions& options);

}  // namespace lowbit::optim
