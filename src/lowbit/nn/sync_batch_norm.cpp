#include "lowbit/nn/sync_batch_norm.h"

#include <torch/autograd.h>

#ifdef LOWBIT_CUDA
#include <ATen/ops/batch_norm_backward_elemt.h>
#include <ATen/ops/batch_norm_backward_reduce.h>
#include <ATen/ops/batch_norm_elemt.h>
#include <ATen/ops/batch_norm_stats.h>
#endif

namespace lowbit::nn {
namespace {

using distributed::Group;

// Of each channel over the batch of all processes.
struct Statistics {
  torch::Tensor mean, invstd;  // [C], the type of parameters
  torch::Tensor counts;        // int32 [processes]: elements of a channel
};

std::vector<int64_t> all_but_channels(const torch::Tensor& x) {
  std::vector<int64_t> dims;
  for (int64_t dim = 0; dim < x.dim(); ++dim)
    if (dim != 1) dims.push_back(dim);
  return dims;
}

torch::Tensor per_channel(const torch::Tensor& vector, const torch::Tensor& x) {
  std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
  shape[1] = vector.numel();
  return vector.view(shape);
}

// LibTorch has kernels for the parts of a synchronized norm on GPUs only: on a CPU the general
// operators say the same.
//
// Mean and variance (of the whole, not estimated) of the own batch.
std::pair<torch::Tensor, torch::Tensor> moments(const torch::Tensor& x, double eps) {
#ifdef LOWBIT_CUDA
  if (x.is_cuda()) {
    const auto [mean, invstd] = at::batch_norm_stats(x, eps);
    return {mean, invstd.pow(-2) - eps};
  }
#endif
  const auto [var, mean] = torch::var_mean(x, all_but_channels(x), /*correction=*/at::Scalar(0));
  return {mean, var};
}

// From the mean, variance and number of elements of every part (Chan, Golub, LeVeque 1979).
Statistics gather(Group& group, const torch::Tensor& x, const torch::Tensor& running_mean,
                  const torch::Tensor& running_var, double momentum, double eps) {
  const int64_t channels = x.size(1), count = x.numel() / channels;
  const auto [mean, var] = moments(x, eps);
  const torch::Tensor own = torch::cat({mean, var, torch::full({1}, count, mean.options())});
  const torch::Tensor all = group.gather(own);
  const torch::Tensor means = all.narrow(1, 0, channels), vars = all.narrow(1, channels, channels),
                      counts = all.narrow(1, 2 * channels, 1);
  const torch::Tensor total = counts.sum();
  const torch::Tensor joint_mean = (means * counts).sum(0) / total;
  const torch::Tensor joint_var = ((vars + (means - joint_mean).square()) * counts).sum(0) / total;
  running_mean.lerp_(joint_mean, momentum);
  running_var.lerp_(joint_var * (total / (total - 1)), momentum);
  return {joint_mean, (joint_var + eps).rsqrt(), counts.flatten().to(torch::kInt32)};
}

torch::Tensor normalized(const torch::Tensor& x, const torch::Tensor& weight,
                         const torch::Tensor& bias, const Statistics& all, double eps) {
#ifdef LOWBIT_CUDA
  if (x.is_cuda()) return at::batch_norm_elemt(x, weight, bias, all.mean, all.invstd, eps);
#endif
  return (x - per_channel(all.mean, x)) * per_channel(all.invstd * weight, x) +
         per_channel(bias, x);
}

// Of the own batch: the sums of dy and of dy (x - mean), and the gradients of weight and bias.
struct Sums {
  torch::Tensor dy, dy_xmu, weight, bias;
};

Sums sums_of(const torch::Tensor& dy, const torch::Tensor& x, const torch::Tensor& weight,
             const Statistics& all) {
#ifdef LOWBIT_CUDA
  if (x.is_cuda()) {
    const auto [sum_dy, sum_dy_xmu, grad_weight, grad_bias] = at::batch_norm_backward_reduce(
        dy, x, all.mean, all.invstd, weight, /*input_g=*/true, /*weight_g=*/true, /*bias_g=*/true);
    return {sum_dy, sum_dy_xmu, grad_weight, grad_bias};
  }
#endif
  const std::vector<int64_t> dims = all_but_channels(x);
  const torch::Tensor sum_dy = dy.sum(dims);
  const torch::Tensor sum_dy_xmu = (dy * (x - per_channel(all.mean, x))).sum(dims);
  return {sum_dy, sum_dy_xmu, sum_dy_xmu * all.invstd, sum_dy};
}

// joint: dy and dy_xmu summed over all processes.
torch::Tensor input_gradient(const torch::Tensor& dy, const torch::Tensor& x,
                             const torch::Tensor& weight, const Statistics& all,
                             const Sums& joint) {
#ifdef LOWBIT_CUDA
  if (x.is_cuda())
    return at::batch_norm_backward_elemt(dy, x, all.mean, all.invstd, weight, joint.dy,
                                         joint.dy_xmu, all.counts);
#endif
  const torch::Tensor total = all.counts.sum().to(x.scalar_type());
  const torch::Tensor mean_dy = joint.dy / total;
  const torch::Tensor slope = joint.dy_xmu / total * all.invstd.square();
  return (dy - per_channel(mean_dy, x) - (x - per_channel(all.mean, x)) * per_channel(slope, x)) *
         per_channel(all.invstd * weight, x);
}

class SyncBatchNorm : public torch::autograd::Function<SyncBatchNorm> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& weight, const torch::Tensor& bias,
                               const torch::Tensor& running_mean, const torch::Tensor& running_var,
                               Group* group, double momentum, double eps) {
    const Statistics all = gather(*group, x, running_mean, running_var, momentum, eps);
    context->save_for_backward({x, weight, all.mean, all.invstd, all.counts});
    // The backward pass may run on another thread.
    context->saved_data["group"] = reinterpret_cast<int64_t>(group);
    return normalized(x, weight, bias, all, eps);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor &x = saved[0], &weight = saved[1];
    const Statistics all{saved[2], saved[3], saved[4]};
    auto* group = reinterpret_cast<Group*>(context->saved_data["group"].toInt());
    const torch::Tensor dy = grads[0].contiguous(x.suggest_memory_format());
    const Sums own = sums_of(dy, x, weight, all);
    const torch::Tensor both = torch::stack({own.dy, own.dy_xmu});
    group->sum(both);
    const Sums joint{both[0], both[1], {}, {}};
    return {input_gradient(dy, x, weight, all, joint), own.weight, own.bias, {}, {}, {}, {}, {}};
  }
};

}  // namespace

torch::Tensor sync_batch_norm(Group& group, const torch::Tensor& x, const torch::Tensor& weight,
                              const torch::Tensor& bias, const torch::Tensor& running_mean,
                              const torch::Tensor& running_var, double momentum, double eps) {
  return SyncBatchNorm::apply(x, weight, bias, running_mean, running_var, &group, momentum, eps);
}

}  // namespace lowbit::nn
