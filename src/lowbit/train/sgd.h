// Stochastic gradient descent with momentum as a step without host values.
#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "lowbit/train/parameter_groups.h"

namespace lowbit::train {

// v <- momentum * v + (g + weight_decay * w);  w <- w - lr * (nesterov ? g' + momentum * v : v),
// where g' = g + weight_decay * w: the rule of torch.optim.SGD with dampening 0. Velocities start
// at 0, which makes the first step the same as torch's, whose first velocity is the gradient.
class Sgd {
 public:
  Sgd(std::vector<ParameterGroup> groups, const config::TrainOptions& options);

  // All parameters, group after group: the order in which step() expects their gradients.
  const std::vector<torch::Tensor>& parameters() const { return parameters_; }
  const std::vector<std::string>& names() const { return names_; }
  const std::vector<torch::Tensor>& velocities() const { return velocities_; }
  const std::vector<ParameterGroup>& groups() const { return groups_; }
  double momentum() const { return momentum_; }
  bool nesterov() const { return nesterov_; }

  // Enqueues the copy to the device; steps enqueued later use it.
  void set_learning_rate(double rate);

  // Sets the velocity of a parameter that was changed by other means to 0; nothing happens where it
  // is not trained. A captured step goes on from there.
  void clear_momentum(const torch::Tensor& parameter);

  // Trains these parameters from now on. Those of a name and size that it has trained keep their
  // velocity; the others start at 0. A captured step is then out of date.
  void regroup(std::vector<ParameterGroup> groups);

  // One update, one fused launch per group. gradients[i] belongs to parameters()[i]; an undefined
  // one (a parameter that the loss does not depend on) counts as 0. Where skip (float32 scalar on
  // the device) is 1, nothing changes.
  void step(const std::vector<torch::Tensor>& gradients, const torch::Tensor& skip);

 private:
  std::vector<ParameterGroup> groups_;
  std::vector<torch::Tensor> parameters_, velocities_;
  std::vector<std::string> names_;
  torch::Tensor rate_;  // float32 scalar on the device
  double momentum_;
  bool nesterov_;
};

}  // namespace lowbit::train
