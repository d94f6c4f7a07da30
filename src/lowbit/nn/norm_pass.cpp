#include "lowbit/nn/norm_pass.h"

#include <torch/autograd.h>

#include "lowbit/kernels/batch_norm.h"
#include "lowbit/nn/fused_passes.h"
#include "lowbit/tensor/tensor.h"

namespace lowbit::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// State shared by forward and backward, next to the saved tensors.
struct NormPassSpec : torch::CustomClassHolder {
  explicit NormPassSpec(NormPass whole) : pass(std::move(whole)) {}
  NormPass pass;  // without tensors that autograd saves
};

kernels::FeatureQuantizer formula_of(const NormPass& pass, const torch::Tensor& clip_val) {
  if (!pass.quantizer) return {};
  kernels::FeatureQuantizer formula = pass.quantizer->formula;
  formula.arguments.clip_val = clip_val.defined() ? clip_val.const_data_ptr() : nullptr;
  formula.arguments.level_num = pass.quantizer->level_num.const_data_ptr();
  return formula;
}

kernels::BatchNormShape shape_of(const torch::Tensor& x) {
  return {pixels_of(x), x.size(1)};
}

class NormPassFunction : public torch::autograd::Function<NormPassFunction> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& weight, const torch::Tensor& bias,
                               const std::optional<torch::Tensor>& skip,
                               const std::optional<torch::Tensor>& clip_val,
                               const c10::intrusive_ptr<NormPassSpec>& spec) {
    const NormPass& pass = spec->pass;
    const torch::Tensor y = torch::empty_like(x), mean = torch::empty_like(weight),
                        invstd = torch::empty_like(weight);
    kernels::batch_norm_forward(tensor::backend(x.device()),
                                {.x = tensor::input(x),
                                 .y = tensor::output(y),
                                 .skip = skip ? skip->const_data_ptr() : nullptr,
                                 .shape = shape_of(x),
                                 .weight = weight.const_data_ptr(),
                                 .bias = bias.const_data_ptr(),
                                 .running_mean = pass.running_mean.data_ptr(),
                                 .running_var = pass.running_var.data_ptr(),
                                 .mean = mean.data_ptr(),
                                 .invstd = invstd.data_ptr(),
                                 .momentum = pass.momentum,
                                 .eps = pass.eps,
                                 .activation = pass.activation,
                                 .quantizer = formula_of(pass, clip_val.value_or(torch::Tensor())),
                                 .workspace = pass.workspace->get(x)},
                                tensor::current_stream(x.device()));
    context->save_for_backward({x, weight, bias, mean, invstd, skip ? y : torch::Tensor(),
                                clip_val.value_or(torch::Tensor())});
    context->saved_data["spec"] = c10::IValue::make_capsule(spec);
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor &x = saved[0], &weight = saved[1], &bias = saved[2], &mean = saved[3],
                        &invstd = saved[4], &y = saved[5], &clip_val = saved[6];
    const auto capsule = context->saved_data["spec"].toCapsule();
    const NormPass& pass = static_cast<NormPassSpec&>(*capsule).pass;
    const torch::Tensor grad_y = grads[0].contiguous(torch::MemoryFormat::ChannelsLast);
    const torch::Tensor grad_x = torch::empty_like(x);
    const torch::Tensor grad_weight = torch::empty_like(weight);
    const torch::Tensor grad_bias = torch::empty_like(bias);
    torch::Tensor grad_skip, grad_clip;
    if (y.defined()) grad_skip = torch::empty_like(x);
    if (clip_val.defined()) grad_clip = torch::empty_like(clip_val);
    kernels::batch_norm_backward(tensor::backend(x.device()),
                                 {.x = tensor::input(x),
                                  .grad_y = tensor::input(grad_y),
                                  .grad_x = tensor::output(grad_x),
                                  .y = y.defined() ? y.const_data_ptr() : nullptr,
                                  .grad_skip = grad_skip.defined() ? grad_skip.data_ptr() : nullptr,
                                  .shape = shape_of(x),
                                  .weight = weight.const_data_ptr(),
                                  .bias = bias.const_data_ptr(),
                                  .mean = mean.const_data_ptr(),
                                  .invstd = invstd.const_data_ptr(),
                                  .grad_weight = grad_weight.data_ptr(),
                                  .grad_bias = grad_bias.data_ptr(),
                                  .activation = pass.activation,
                                  .quantizer = formula_of(pass, clip_val),
                                  .grad_clip = grad_clip.defined() ? grad_clip.data_ptr() : nullptr,
                                  .workspace = pass.workspace->get(x)},
                                 tensor::current_stream(x.device()));
    return {grad_x, grad_weight, grad_bias, grad_skip, grad_clip, {}};
  }
};

std::optional<torch::Tensor> if_defined(const torch::Tensor& tensor) {
  return tensor.defined() ? std::optional(tensor) : std::nullopt;
}

}  // namespace

torch::Tensor norm_pass(const torch::Tensor& x, const NormPass& pass) {
  auto spec = c10::make_intrusive<NormPassSpec>(pass);
  // Autograd saves them: here they would keep the graph alive.
  spec->pass.weight = spec->pass.bias = spec->pass.skip = torch::Tensor();
  torch::Tensor clip_val;
  if (pass.quantizer) std::swap(clip_val, spec->pass.quantizer->clip_val);
  return NormPassFunction::apply(x, pass.weight, pass.bias, if_defined(pass.skip),
                                 if_defined(clip_val), spec);
}

}  // namespace lowbit::nn
