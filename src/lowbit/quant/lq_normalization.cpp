#include "lowbit/quant/lq_normalization.h"

#include <numeric>

#include "lowbit/quant/weight_groups.h"

namespace lowbit::quant {

LqNormalization::LqNormalization(const torch::Tensor& x, const Quantizer& quantizer)
    : groups_(quantizer.groups()) {
  using enum config::Adaptive;
  constexpr double kEpsilon = 1e-5;
  const config::Adaptive adaptive = quantizer.options().adaptive;
  const bool is_weight = quantizer.shape().tag == config::Tag::wt;
  if (!is_weight || adaptive == none || adaptive == var_mean) return;
  const torch::NoGradGuard no_grad;
  const torch::Tensor split = split_groups(x, groups_);
  std::vector<int64_t> dimensions(static_cast<size_t>(split.dim()) - 1);
  std::iota(dimensions.begin(), dimensions.end(), 1);
  const auto [deviation, mean_of_group] =
      torch::std_mean(split, dimensions, /*correction=*/at::Scalar(1), /*keepdim=*/true);
  if (adaptive != var) mean_ = mean_of_group;
  if (adaptive != mean) std_ = deviation + kEpsilon;
}

torch::Tensor LqNormalization::normalize(const torch::Tensor& x) const {
  torch::Tensor split = split_groups(x, groups_);
  if (mean_.defined()) split = split - mean_;
  if (std_.defined()) split = split / std_;
  return split.reshape(x.sizes());
}

torch::Tensor LqNormalization::restore(const torch::Tensor& y) const {
  const torch::ScalarType type = y.scalar_type();
  torch::Tensor split = split_groups(y, groups_);
  if (std_.defined()) split = split * std_.to(type);
  if (mean_.defined()) split = split + mean_.to(type);
  return split.reshape(y.sizes());
}

CodeFormula LqNormalization::around(CodeFormula formula, int64_t group) const {
  const auto of_group = [group](const torch::Tensor& numbers, float otherwise) {
    return numbers.defined() ? numbers.flatten()[group].item<float>() : otherwise;
  };
  const float mean = of_group(mean_, 0), deviation = of_group(std_, 1);
  return {[code = std::move(formula.code), mean, deviation](float x) {
            return code((x - mean) / deviation);
          },
          [level = std::move(formula.level), mean, deviation](float code) {
            return level(code) * deviation + mean;
          },
          [edge = std::move(formula.edge), mean, deviation](float code) {
            return edge(code) * deviation + mean;
          },
          formula.lowest, formula.highest};
}

Grid LqNormalization::around(Grid grid) const {
  const auto by_group = [](const torch::Tensor& numbers) {
    return numbers.defined() ? numbers.to(torch::kFloat64).flatten() : torch::Tensor();
  };
  return scaled_grid(std::move(grid), by_group(std_), by_group(mean_));
}

}  // namespace lowbit::quant
