// Dynamic loss scaling: keeps small float16 gradients from vanishing.
// Micikevicius et al., https://arxiv.org/abs/1710.03740, section 3.2
#pragma once

#include <torch/types.h>

#include <vector>

namespace lowbit::optim {

// The factor lives on the device: doubled after 2,000 steps with finite gradients, halved, and the
// step left out, after one without. Not enabled (all types but float16), it only passes `halted`
// on.
class LossScaler {
 public:
  LossScaler(bool enabled, torch::Device device);

  torch::Tensor scale(const torch::Tensor& loss) const;

  // Divides the gradients by the factor, in place. The result (float32 scalar on the device) is 1
  // where the step must be left out: a gradient is not finite, or `halted` is 1.
  torch::Tensor unscale(const std::vector<torch::Tensor>& gradients, const torch::Tensor& halted);

  // The same for gradients that are unscaled already, such as a sum of them.
  torch::Tensor check(const std::vector<torch::Tensor>& gradients, const torch::Tensor& halted);

  // Adapts the factor to what unscale or check found last; not where `wait` (bool scalar on the
  // device) is true. Undefined: never.
  void update(const torch::Tensor& wait = {});

  bool enabled() const { return enabled_; }
  // What a checkpoint keeps: the factor (float32) and the steps since it last changed (int32).
  torch::Tensor factor() const { return factor_; }
  torch::Tensor growth_tracker() const { return growth_tracker_; }

 private:
  torch::Tensor multiply(const std::vector<torch::Tensor>& gradients, const torch::Tensor& factor,
                         const torch::Tensor& halted);

  bool enabled_;
  torch::Tensor factor_, growth_tracker_, skip_;
};

}  // namespace lowbit::optim
