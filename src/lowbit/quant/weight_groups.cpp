#include "lowbit/quant/weight_groups.h"

#include <numeric>

namespace lowbit::quant {
namespace {

// The shape of one number per group that broadcasts over split_groups(x).
std::vector<int64_t> per_group(const torch::Tensor& split) {
  std::vector<int64_t> shape(static_cast<size_t>(split.dim()), 1);
  shape[0] = split.size(0);
  return shape;
}

// What --wt_adaptive means to the method.
struct Form {
  bool subtracts = false, divides = false, restores = false;
  bool per_group = true;
  double epsilon = 0;
};

Form form_of(const config::QuantOptions& options) {
  using enum config::Adaptive;
  const config::Adaptive adaptive = options.adaptive;
  if (options.method == config::Method::lq)
    return {.subtracts = adaptive == mean || adaptive == mean_var,
            .divides = adaptive == var || adaptive == mean_var,
            .restores = true,
            .epsilon = 1e-5};
  const bool normalizes = adaptive == var_mean;
  return {.subtracts = normalizes,
          .divides = normalizes,
          .restores = options.adaptive_restore,
          .per_group = !options.independent_norm};
}

}  // namespace

torch::Tensor split_groups(const torch::Tensor& x, int64_t groups) {
  if (x.size(0) % groups == 0) return x.unflatten(0, {groups, x.size(0) / groups});
  return x.reshape({groups, x.numel() / groups});
}

torch::Tensor scale_groups(const torch::Tensor& x, const torch::Tensor& factor) {
  const torch::Tensor split = split_groups(x, factor.numel());
  return (split * factor.to(x.scalar_type()).reshape(per_group(split))).reshape(x.sizes());
}

WeightNormalization::WeightNormalization(const torch::Tensor& x, const Quantizer& quantizer) {
  const Form form = form_of(quantizer.options());
  groups_ = form.per_group ? quantizer.groups() : 1;
  restores_ = form.restores;
  if (!form.subtracts && !form.divides) return;
  const torch::NoGradGuard no_grad;
  const torch::Tensor split = split_groups(x, groups_);
  std::vector<int64_t> dimensions(static_cast<size_t>(split.dim()) - 1);
  std::iota(dimensions.begin(), dimensions.end(), 1);
  const auto [deviation, mean] =
      torch::std_mean(split, dimensions, /*correction=*/at::Scalar(1), /*keepdim=*/true);
  if (form.subtracts) mean_ = mean;
  if (form.divides) std_ = form.epsilon > 0 ? deviation + form.epsilon : deviation;
}

torch::Tensor WeightNormalization::normalize(const torch::Tensor& x) const {
  if (!enabled()) return x;
  torch::Tensor split = split_groups(x, groups_);
  if (mean_.defined()) split = split - mean_;
  if (std_.defined()) split = split / std_;
  return split.reshape(x.sizes());
}

torch::Tensor WeightNormalization::restore(const torch::Tensor& y) const {
  if (!enabled() || !restores_) return y;
  const torch::ScalarType type = y.scalar_type();
  torch::Tensor split = split_groups(y, groups_);
  if (std_.defined()) split = split * std_.to(type);
  if (mean_.defined()) split = split + mean_.to(type);
  return split.reshape(y.sizes());
}

std::function<float(float)> WeightNormalization::around(std::function<float(float)> value,
                                                        int64_t group) const {
  if (!enabled()) return value;
  const int64_t norm_group = groups_ == 1 ? 0 : group;
  const auto of_group = [norm_group](const torch::Tensor& numbers, float otherwise) {
    return numbers.defined() ? numbers.flatten()[norm_group].item<float>() : otherwise;
  };
  const float mean = of_group(mean_, 0), deviation = of_group(std_, 1);
  return [value, mean, deviation, restores = restores_](float x) {
    const float y = value((x - mean) / deviation);
    return restores ? y * deviation + mean : y;
  };
}

}  // namespace lowbit::quant
