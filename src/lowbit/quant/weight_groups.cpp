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

}  // namespace

torch::Tensor split_groups(const torch::Tensor& x, int64_t groups) {
  if (x.size(0) % groups == 0) return x.unflatten(0, {groups, x.size(0) / groups});
  return x.reshape({groups, x.numel() / groups});
}

torch::Tensor scale_groups(const torch::Tensor& x, const torch::Tensor& factor) {
  const torch::Tensor split = split_groups(x, factor.numel());
  return (split * factor.to(x.scalar_type()).reshape(per_group(split))).reshape(x.sizes());
}

WeightNormalization::WeightNormalization(const torch::Tensor& x, const Quantizer& quantizer)
    : groups_(quantizer.options().independent_norm ? 1 : quantizer.groups()),
      enabled_(quantizer.options().adaptive == config::Adaptive::var_mean),
      restores_(quantizer.options().adaptive_restore) {
  if (!enabled_) return;
  const torch::NoGradGuard no_grad;
  const torch::Tensor split = split_groups(x, groups_);
  std::vector<int64_t> dimensions(static_cast<size_t>(split.dim()) - 1);
  std::iota(dimensions.begin(), dimensions.end(), 1);
  std::tie(std_, mean_) =
      torch::std_mean(split, dimensions, /*correction=*/at::Scalar(1), /*keepdim=*/true);
}

torch::Tensor WeightNormalization::normalize(const torch::Tensor& x) const {
  if (!enabled_) return x;
  return ((split_groups(x, groups_) - mean_) / std_).reshape(x.sizes());
}

torch::Tensor WeightNormalization::restore(const torch::Tensor& y) const {
  if (!enabled_ || !restores_) return y;
  const torch::ScalarType type = y.scalar_type();
  const torch::Tensor split = split_groups(y, groups_);
  return (split * std_.to(type) + mean_.to(type)).reshape(y.sizes());
}

std::function<float(float)> WeightNormalization::around(std::function<float(float)> value,
                                                        int64_t group) const {
  if (!enabled_) return value;
  const int64_t norm_group = groups_ == 1 ? 0 : group;
  const auto mean = mean_.flatten()[norm_group].item<float>();
  const auto std = std_.flatten()[norm_group].item<float>();
  return [value, mean, std, restores = restores_](float x) {
    const float y = value((x - mean) / std);
    return restores ? y * std + mean : y;
  };
}

}  // namespace lowbit::quant
