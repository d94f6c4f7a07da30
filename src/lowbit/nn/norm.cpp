#include "lowbit/nn/norm.h"

#include <cstdlib>

#include "lowbit/core/error.h"
#include "lowbit/distributed/group_scope.h"
#include "lowbit/kernels/batch_norm.h"
#include "lowbit/nn/fused_passes.h"
#include "lowbit/nn/side_by_side.h"
#include "lowbit/nn/sync_batch_norm.h"

namespace lowbit::nn {
namespace {

constexpr double kEps = 1e-5;
constexpr double kMomentum = 0.1;
constexpr int kDefaultGroups = 32;

// Shape that broadcasts a vector of channels over [B, C, H, W].
torch::Tensor per_channel(const torch::Tensor& vector, torch::ScalarType type) {
  return vector.to(type).view({1, -1, 1, 1});
}

}  // namespace

BatchNorm::BatchNorm(int64_t channels, config::Norm kind) : kind_(kind) {
  const bool trained = kind != config::Norm::frozen_batch;
  state_.weight = register_parameter("weight", torch::ones({channels}), trained);
  state_.bias = register_parameter("bias", torch::zeros({channels}), trained);
  state_.mean = register_buffer("running_mean", torch::zeros({channels}));
  state_.var = register_buffer("running_var", torch::ones({channels}));
  batches_ = register_buffer("num_batches_tracked", torch::zeros({}, torch::kInt64));
  workspace_ = std::make_shared<quant::Workspace>(kernels::kNormWorkspaceBytes);
}

bool BatchNorm::learns_statistics() const {
  return kind_ == config::Norm::batch || kind_ == config::Norm::reverse_batch;
}

torch::Tensor BatchNorm::batches_to_count() const {
  return learns_statistics() ? batches_ : torch::Tensor();
}

torch::Tensor BatchNorm::normalize(const torch::Tensor& x, const State& state) const {
  const auto batch_norm = [&](const torch::Tensor& features, const torch::Tensor& weight,
                              const torch::Tensor& bias) {
    const bool learns = is_training() && learns_statistics();
    if (distributed::Group* group = distributed::GroupScope::of_batch_norm(); group && learns)
      return sync_batch_norm(*group, features,
                             weight.defined() ? weight : torch::ones_like(state.mean),
                             bias.defined() ? bias : torch::zeros_like(state.mean), state.mean,
                             state.var, kMomentum, kEps);
    return torch::batch_norm(features, weight, bias, state.mean, state.var, learns, kMomentum, kEps,
                             /*cudnn_enabled=*/true);
  };
  if (kind_ != config::Norm::reverse_batch) return batch_norm(x, state.weight, state.bias);
  const torch::ScalarType type = x.scalar_type();
  return batch_norm(x * per_channel(state.weight, type) + per_channel(state.bias, type), {}, {});
}

bool BatchNorm::has_pass(const torch::Tensor& x) const {
  const bool wide = x.scalar_type() == torch::kFloat64;
  return kind_ == config::Norm::batch && is_training() && has_fused_passes(x) && pixels_of(x) > 1 &&
         x.size(1) <= kernels::kMostNormChannels &&
         state_.weight.scalar_type() == (wide ? torch::kFloat64 : torch::kFloat32) &&
         !distributed::GroupScope::of_batch_norm();
}

NormPass BatchNorm::pass() const {
  NormPass pass;
  pass.weight = state_.weight;
  pass.bias = state_.bias;
  pass.running_mean = state_.mean;
  pass.running_var = state_.var;
  pass.momentum = kMomentum;
  pass.eps = kEps;
  pass.workspace = workspace_;
  return pass;
}

torch::Tensor BatchNorm::compute(const torch::Tensor& x) {
  return has_pass(x) ? norm_pass(x, pass()) : normalize(x, state_);
}

torch::Tensor BatchNorm::forward_joined(const std::vector<BatchNorm*>& norms,
                                        const torch::Tensor& x) {
  const auto all = [&norms](torch::Tensor State::*part) {
    std::vector<torch::Tensor> tensors;
    for (const BatchNorm* norm : norms) tensors.push_back(norm->state_.*part);
    return side_by_side(tensors);
  };
  return norms.front()->normalize(
      x, {all(&State::weight), all(&State::bias), all(&State::mean), all(&State::var)});
}

GroupNorm::GroupNorm(int64_t channels, int64_t groups) : groups_(groups) {
  if (groups < 1 || channels % groups != 0)
    throw core::usage_error("group-norm: {} groups do not divide {} channels", groups, channels)
        .detail("--fm_quant_group sets the number of groups (default 32).");
  weight_ = register_parameter("weight", torch::ones({channels}));
  bias_ = register_parameter("bias", torch::zeros({channels}));
}

torch::Tensor GroupNorm::compute(const torch::Tensor& x) {
  const torch::ScalarType type = x.scalar_type();
  return torch::group_norm(x, groups_, weight_.to(type), bias_.to(type), kEps);
}

torch::Tensor InstanceNorm::compute(const torch::Tensor& x) {
  return torch::instance_norm(x, {}, {}, {}, {}, /*use_input_stats=*/true, kMomentum, kEps,
                              /*cudnn_enabled=*/true);
}

LayerPtr make_norm(int64_t channels, const config::ModelOptions& options) {
  switch (options.norm) {
    case config::Norm::group: {
      const int groups = options.fm.quant_group;
      return std::make_shared<GroupNorm>(channels, groups == 0 ? kDefaultGroups : groups);
    }
    case config::Norm::instance:
      return std::make_shared<InstanceNorm>();
    default:
      return std::make_shared<BatchNorm>(channels, options.norm);
  }
}

void zero_factor(Layer& norm) {
  const torch::NoGradGuard no_grad;
  if (torch::Tensor* weight = norm.named_parameters(/*recurse=*/false).find("weight"))
    weight->zero_();
}

}  // namespace lowbit::nn
