#include "lowbit/quant/weight_groups.h"

#include <torch/autograd.h>

#include "lowbit/kernels/math/normalize.h"
#include "lowbit/kernels/normalize.h"
#include "lowbit/quant/grouped_tensor.h"
#include "lowbit/tensor/tensor.h"

namespace lowbit::quant {
namespace {

// The shape of one number per group that broadcasts over split_groups(x).
std::vector<int64_t> per_group(const torch::Tensor& split) {
  std::vector<int64_t> shape(static_cast<size_t>(split.dim()), 1);
  shape[0] = split.size(0);
  return shape;
}

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// x -> (x - mean) / std, mean, std.
class NormalizeFunction : public torch::autograd::Function<NormalizeFunction> {
 public:
  static variable_list forward(AutogradContext* context, const torch::Tensor& x, int64_t groups,
                               void* workspace) {
    const GroupedTensor in = grouped(x, config::Tag::wt, groups);
    const torch::Tensor y = empty_like(in, x.scalar_type());
    const torch::Tensor mean = torch::empty({groups}, x.options());
    const torch::Tensor std = torch::empty({groups}, x.options());
    kernels::normalize_forward(tensor::backend(x.device()),
                               {.x = tensor::input(in.tensor),
                                .y = tensor::output(y),
                                .size = x.numel(),
                                .groups = in.groups,
                                .mean = mean.mutable_data_ptr(),
                                .std = std.mutable_data_ptr(),
                                .workspace = workspace},
                               tensor::current_stream(x.device()));
    context->save_for_backward({std});
    context->mark_non_differentiable({mean, std});
    context->set_materialize_grads(false);  // else zeros are written for mean and std in every step
    return {y, mean, std};
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const torch::Tensor std = context->get_saved_variables()[0];
    const GroupedTensor in = grouped(grads[0], config::Tag::wt, std.numel());
    const torch::Tensor grad_x = empty_like(in, std.scalar_type());
    kernels::normalize_backward(tensor::backend(std.device()),
                                {.grad_y = tensor::input(in.tensor),
                                 .grad_x = tensor::output(grad_x),
                                 .size = grad_x.numel(),
                                 .groups = in.groups,
                                 .std = std.const_data_ptr()},
                                tensor::current_stream(std.device()));
    return {grad_x, {}, {}};
  }
};

class RestoreFunction : public torch::autograd::Function<RestoreFunction> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& mean, const torch::Tensor& std) {
    const GroupedTensor in = grouped(x, config::Tag::wt, std.numel());
    const torch::Tensor y = empty_like(in, x.scalar_type());
    kernels::restore_forward(tensor::backend(x.device()),
                             {.x = tensor::input(in.tensor),
                              .y = tensor::output(y),
                              .size = x.numel(),
                              .groups = in.groups,
                              .mean = mean.const_data_ptr(),
                              .std = std.const_data_ptr()},
                             tensor::current_stream(x.device()));
    context->save_for_backward({std});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const torch::Tensor std = context->get_saved_variables()[0];
    const GroupedTensor in = grouped(grads[0], config::Tag::wt, std.numel());
    const torch::Tensor grad_x = empty_like(in, grads[0].scalar_type());
    kernels::restore_backward(tensor::backend(std.device()),
                              {.grad_y = tensor::input(in.tensor),
                               .grad_x = tensor::output(grad_x),
                               .size = grad_x.numel(),
                               .groups = in.groups,
                               .std = std.const_data_ptr()},
                              tensor::current_stream(std.device()));
    return {grad_x, {}, {}};
  }
};

}  // namespace

torch::Tensor split_groups(const torch::Tensor& x, int64_t groups) {
  if (x.size(0) % groups == 0) return x.unflatten(0, {groups, x.size(0) / groups});
  return x.reshape({groups, x.numel() / groups});
}

torch::Tensor scale_groups(const torch::Tensor& x, const torch::Tensor& factor) {
  const torch::Tensor split = split_groups(x, factor.numel());
  return (split * factor.to(x.scalar_type()).reshape(per_group(split))).reshape(x.sizes());
}

torch::Tensor magnitudes(const torch::Tensor& y, int64_t groups) {
  const torch::Tensor first = y.reshape({groups, -1}).select(1, 0);
  return first.abs().to(torch::kFloat64).view({-1, 1, 1, 1});
}

torch::Tensor signed_magnitudes(const torch::Tensor& y, int64_t groups,
                                const torch::Tensor& gamma) {
  const torch::Tensor sizes = magnitudes(y, groups);
  return gamma.defined() ? sizes * gamma.sign() : sizes;
}

WeightNormalization::WeightNormalization(const torch::Tensor& x, const Quantizer& quantizer)
    : groups_(quantizer.options().independent_norm ? 1 : quantizer.groups()),
      enabled_(quantizer.shape().tag == config::Tag::wt &&
               quantizer.options().adaptive == config::Adaptive::var_mean),
      restores_(quantizer.options().adaptive_restore) {
  if (!enabled_) return;
  const variable_list results = NormalizeFunction::apply(x, groups_, quantizer.workspace(x));
  normalized_ = results[0];
  mean_ = results[1];
  std_ = results[2];
}

torch::Tensor WeightNormalization::restore(const torch::Tensor& y) const {
  return enabled_ && restores_ ? RestoreFunction::apply(y, mean_, std_) : y;
}

CodeFormula WeightNormalization::around(CodeFormula formula, int64_t group) const {
  if (!enabled_) return formula;
  const int64_t norm_group = groups_ == 1 ? 0 : group;
  const kernels::Normalization<float> normalization{mean_[norm_group].item<float>(),
                                                    std_[norm_group].item<float>()};
  formula.code = [code = std::move(formula.code), normalization](float x) {
    return code(normalization.normalize(x));
  };
  formula.edge = [edge = std::move(formula.edge), normalization](float code) {
    return edge(code) * normalization.std + normalization.mean;
  };
  if (restores_)
    formula.level = [level = std::move(formula.level), normalization](float code) {
      return normalization.restore(level(code));
    };
  return formula;
}

Grid WeightNormalization::around(Grid grid) const {
  if (!enabled_ || !restores_) return grid;
  return scaled_grid(std::move(grid), std_.to(torch::kFloat64), mean_.to(torch::kFloat64));
}

}  // namespace lowbit::quant
