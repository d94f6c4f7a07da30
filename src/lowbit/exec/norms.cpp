#include "lowbit/exec/norms.h"

#include "lowbit/distributed/group_scope.h"
#include "lowbit/kernels/batch_norm.h"
#include "lowbit/nn/fused_passes.h"
#include "lowbit/nn/sync_batch_norm.h"

namespace lowbit::exec {
namespace {

// A vector of channels over [B, C, ...].
torch::Tensor per_channel(const torch::Tensor& vector, const torch::Tensor& x) {
  std::vector<int64_t> sizes(static_cast<size_t>(x.dim()), 1);
  sizes[1] = -1;
  return vector.to(x.scalar_type()).view(sizes);
}

}  // namespace

torch::Tensor normalize(const graph::BatchNorm& op, std::span<const torch::Tensor> in,
                        bool training) {
  const torch::Tensor &mean = in[3], &var = in[4];
  const bool learns = training && !op.fixed_statistics;
  const auto batch_norm = [&](const torch::Tensor& x, const torch::Tensor& weight,
                              const torch::Tensor& bias) {
    if (distributed::Group* group = distributed::GroupScope::of_batch_norm(); group && learns)
      return nn::sync_batch_norm(*group, x, weight.defined() ? weight : torch::ones_like(mean),
                                 bias.defined() ? bias : torch::zeros_like(mean), mean, var,
                                 op.momentum, op.eps);
    return torch::batch_norm(x, weight, bias, mean, var, learns, op.momentum, op.eps,
                             /*cudnn_enabled=*/true);
  };
  const torch::Tensor& x = in[0];
  if (!op.affine_first) return batch_norm(x, in[1], in[2]);
  return batch_norm(x * per_channel(in[1], x) + per_channel(in[2], x), {}, {});
}

bool has_norm_pass(const graph::BatchNorm& op, std::span<const torch::Tensor> in, bool training) {
  const torch::Tensor &x = in[0], &weight = in[1];
  const bool wide = x.scalar_type() == torch::kFloat64;
  return training && !op.fixed_statistics && !op.affine_first && nn::has_fused_passes(x) &&
         nn::pixels_of(x) > 1 && x.size(1) <= kernels::kMostNormChannels &&
         weight.scalar_type() == (wide ? torch::kFloat64 : torch::kFloat32) &&
         !distributed::GroupScope::of_batch_norm();
}

nn::NormPass norm_pass(const graph::BatchNorm& op, std::span<const torch::Tensor> in) {
  nn::NormPass pass;
  pass.weight = in[1];
  pass.bias = in[2];
  pass.running_mean = in[3];
  pass.running_var = in[4];
  pass.momentum = op.momentum;
  pass.eps = op.eps;
  return pass;
}

torch::Tensor normalize(const graph::GroupNorm& op, std::span<const torch::Tensor> in) {
  const torch::ScalarType type = in[0].scalar_type();
  return torch::group_norm(in[0], op.groups, in[1].to(type), in[2].to(type), op.eps);
}

torch::Tensor normalize(const graph::InstanceNorm& op, const torch::Tensor& x) {
  constexpr double kNoMomentum = 0.1;  // there are no running statistics to update
  return torch::instance_norm(x, {}, {}, {}, {}, /*use_input_stats=*/true, kNoMomentum, op.eps,
                              /*cudnn_enabled=*/true);
}

}  // namespace lowbit::exec
