#include "lowbit/optim/loss_scaler.h"

#include <ATen/ops/_amp_foreach_non_finite_check_and_unscale.h>
#include <ATen/ops/_amp_update_scale.h>

namespace lowbit::optim {
namespace {

constexpr double first_scale = 65536, growth = 2, backoff = 0.5;
constexpr int64_t growth_interval = 2000;  // steps

}  // namespace

LossScaler::LossScaler(bool enabled, torch::Device device)
    : enabled_(enabled),
      factor_(torch::full({1}, first_scale, torch::dtype(torch::kFloat32).device(device))),
      growth_tracker_(torch::zeros({1}, torch::dtype(torch::kInt32).device(device))),
      skip_(torch::zeros({1}, torch::dtype(torch::kFloat32).device(device))) {}

torch::Tensor LossScaler::scale(const torch::Tensor& loss) const {
  return enabled_ ? loss * factor_.squeeze() : loss;
}

torch::Tensor LossScaler::unscale(const std::vector<torch::Tensor>& gradients,
                                  const torch::Tensor& halted) {
  return enabled_ ? multiply(gradients, factor_.reciprocal(), halted) : halted;
}

torch::Tensor LossScaler::check(const std::vector<torch::Tensor>& gradients,
                                const torch::Tensor& halted) {
  return enabled_ ? multiply(gradients, torch::ones_like(factor_), halted) : halted;
}

// Multiplies in place and finds what is not finite.
torch::Tensor LossScaler::multiply(const std::vector<torch::Tensor>& gradients,
                                   const torch::Tensor& factor, const torch::Tensor& halted) {
  skip_.copy_(halted);
  std::vector<torch::Tensor> defined;
  for (const torch::Tensor& gradient : gradients)
    if (gradient.defined()) defined.push_back(gradient);
  at::_amp_foreach_non_finite_check_and_unscale_(defined, skip_, factor);
  return skip_;
}

void LossScaler::update(const torch::Tensor& wait) {
  if (!enabled_) return;
  const torch::NoGradGuard no_grad;
  torch::Tensor factor, tracker;
  if (wait.defined()) {
    factor = factor_.clone();
    tracker = growth_tracker_.clone();
  }
  at::_amp_update_scale_(factor_, growth_tracker_, skip_, growth, backoff, growth_interval);
  if (!wait.defined()) return;
  factor_.copy_(torch::where(wait, factor, factor_));
  growth_tracker_.copy_(torch::where(wait, tracker, growth_tracker_));
}

}  // namespace lowbit::optim
