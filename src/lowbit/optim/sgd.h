// Stochastic gradient descent with momentum.
#pragma once

#include <string>
#include <vector>

#include "lowbit/optim/optimizer.h"

namespace lowbit::optim {

// v <- momentum * v + (g + weight_decay * w);  w <- w - lr * (nesterov ? g' + momentum * v : v),
// where g' = g + weight_decay * w: the rule of torch.optim.SGD with dampening 0. Velocities start
// at 0, which makes the first step the same as torch's, whose first velocity is the gradient.
class Sgd : public Optimizer {
 public:
  Sgd(std::vector<ParameterGroup> groups, const config::TrainOptions& options);

  const std::vector<torch::Tensor>& velocities() const { return velocities_; }

  void step(const std::vector<torch::Tensor>& gradients, const torch::Tensor& skip) override;
  std::vector<State> state() const override { return {{"momentum_buffer", velocities_}}; }
  checkpoint::Dict settings(const ParameterGroup& group) const override;

 private:
  std::vector<torch::Tensor> velocities_;
  double momentum_;
  bool nesterov_;
};

}  // namespace lowbit::optim
