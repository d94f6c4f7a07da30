#include "lowbit/train/loss_scaler.h"

#include <ATen/ops/_amp_foreach_non_finite_check_and_unscale.h>
#include <ATen/ops/_amp_update_scale.h>

namespace lowbit::train {
namespace {

constexpr double start = 65536, growth = 2, backoff = 0.5;
constexpr int64_t growth_interval = 2000;  // steps

}  // namespace

LossScaler::LossScaler(bool enabled, torch::Device device)
    : enabled_(enabled),
      factor_(torch::full({1}, start, torch::dtype(torch::kFloat32).device(device))),
      growth_tracker_(torch::zeros({1}, torch::dtype(torch::kInt32).device(device))),
      skip_(torch::zeros({1}, torch::dtype(torch::kFloat32).device(device))) {}

torch::Tensor LossScaler::scale(const torch::Tensor& loss) const {
  return enabled_ ? loss * factor_.squeeze() : loss;
}

torch::Tensor LossScaler::unscale(const std::vector<torch::Tensor>& gradients,
                                  const torch::Tensor& halted) {
  if (!enabled_) return halted;
  skip_.copy_(halted);
  std::vector<torch::Tensor> defined;
  for (const torch::Tensor& gradient : gradients)
    if (gradient.defined()) defined.push_back(gradient);
  at::_amp_foreach_non_finite_check_and_unscale_(defined, skip_, factor_.reciprocal());
  return skip_;
}

void LossScaler::update() {
  if (enabled_)
    at::_amp_update_scale_(factor_, growth_tracker_, skip_, growth, backoff, growth_interval);
}

}  // namespace lowbit::train
