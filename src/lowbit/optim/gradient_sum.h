// The sum of the gradients of several batches, at a fixed address.
#pragma once

#include <torch/types.h>

#include <vector>

namespace lowbit::optim {

class GradientSum {
 public:
  explicit GradientSum(const std::vector<torch::Tensor>& parameters);

  // Adds a batch; where `first` (bool scalar on the device) is true, the sum begins anew with it.
  // Undefined gradients add nothing. The result stands in the order of the parameters.
  const std::vector<torch::Tensor>& add(const std::vector<torch::Tensor>& gradients,
                                        const torch::Tensor& first);

  // All sums, one behind the other: what a step changes and a checkpoint keeps.
  const torch::Tensor& flat() const { return flat_; }

 private:
  torch::Tensor flat_;
  std::vector<torch::Tensor> sums_;  // views of it in the shapes and layouts of the parameters
};

}  // namespace lowbit::optim
