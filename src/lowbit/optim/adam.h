// Adam, Kingma and Ba, https://arxiv.org/abs/1412.6980, algorithm 1.
#pragma once

#include <vector>

#include "lowbit/optim/optimizer.h"

namespace lowbit::optim {

// torch.optim.Adam with its defaults: g' = g + weight_decay * w;  m <- 0.9 m + 0.1 g';
// v <- 0.999 v + 0.001 g'^2;  w <- w - lr * (m / (1 - 0.9^t)) / (sqrt(v / (1 - 0.999^t)) + 1e-8),
// where t counts the steps that were not skipped.
class Adam : public Optimizer {
 public:
  explicit Adam(std::vector<ParameterGroup> groups);

  void step(const std::vector<torch::Tensor>& gradients, const torch::Tensor& skip) override;
  std::vector<State> state() const override {
    return {{"step", step_of_}, {"exp_avg", means_}, {"exp_avg_sq", squares_}};
  }
  checkpoint::Dict settings(const ParameterGroup& group) const override;

 private:
  std::vector<torch::Tensor> means_, squares_;  // m and v
  torch::Tensor steps_;                         // t, float32, one for each parameter ...
  std::vector<torch::Tensor> step_of_;          // ... and views of each
};

}  // namespace lowbit::optim
