#include "lowbit/quant/formula_quantizer.h"

#include <torch/autograd.h>

#include <optional>

#include "lowbit/quant/grouped_tensor.h"
#include "lowbit/quant/weight_groups.h"
#include "lowbit/tensor/tensor.h"

namespace lowbit::quant {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// State shared by forward and backward of one quantizer, next to the saved tensors.
struct FormulaSpec : torch::CustomClassHolder {
  FormulaMethod method{};
  config::Tag tag = config::Tag::fm;
  int64_t groups = 1;
  double boundary = 1, grad_scale = 1;
  bool full_range = false;
  Workspace workspace;

  // clip_val: undefined where nothing is learned.
  kernels::FormulaArguments arguments(const torch::Tensor& clip_val,
                                      const torch::Tensor& level_num) const {
    return {.clip_val = clip_val.defined() ? clip_val.const_data_ptr() : nullptr,
            .level_num = level_num.const_data_ptr(),
            .boundary = boundary,
            .full_range = full_range,
            .grad_scale = grad_scale};
  }
};
using FormulaSpecPtr = c10::intrusive_ptr<FormulaSpec>;

FormulaSpec& spec_of(const c10::intrusive_ptr<torch::CustomClassHolder>& holder) {
  return static_cast<FormulaSpec&>(*holder);
}

// One kernel forward, one backward.
class FormulaFunction : public torch::autograd::Function<FormulaFunction> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x,
                               const std::optional<torch::Tensor>& clip_val,
                               const torch::Tensor& level_num,
                               const c10::intrusive_ptr<torch::CustomClassHolder>& holder,
                               torch::ScalarType type) {
    const FormulaSpec& spec = spec_of(holder);
    const torch::Tensor clip = clip_val.value_or(torch::Tensor());
    const GroupedTensor in = grouped(x, spec.tag, spec.groups);
    const torch::Tensor y = empty_like(in, type);
    spec.method.kernels.forward(tensor::backend(x.device()),
                                {.x = tensor::input(in.tensor),
                                 .y = tensor::output(y),
                                 .size = x.numel(),
                                 .groups = in.groups,
                                 .arguments = spec.arguments(clip, level_num)},
                                tensor::current_stream(x.device()));
    context->save_for_backward({in.tensor, clip, level_num});
    context->saved_data["spec"] = c10::IValue::make_capsule(holder);
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor &x = saved[0], &clip_val = saved[1], &level_num = saved[2];
    const auto capsule = context->saved_data["spec"].toCapsule();
    FormulaSpec& spec = static_cast<FormulaSpec&>(*capsule);
    const GroupedTensor in = grouped(x, spec.tag, spec.groups);
    const torch::Tensor grad_y = grads[0].contiguous(in.format);
    const torch::Tensor grad_x = empty_like(in, x.scalar_type());
    const torch::Tensor grad_clip = clip_val.defined() ? torch::empty_like(clip_val) : clip_val;
    spec.method.kernels.backward(
        tensor::backend(x.device()),
        {.x = tensor::input(x),
         .grad_y = tensor::input(grad_y),
         .grad_x = tensor::output(grad_x),
         .grad_clip = grad_clip.defined() ? grad_clip.mutable_data_ptr() : nullptr,
         .size = x.numel(),
         .groups = in.groups,
         .arguments = spec.arguments(clip_val, level_num),
         .workspace = clip_val.defined() ? spec.workspace.get(x) : nullptr},
        tensor::current_stream(x.device()));
    return {grad_x, grad_clip, {}, {}, {}};
  }
};

}  // namespace

FormulaQuantizer::FormulaQuantizer(const QuantShape& shape, const config::QuantOptions& options,
                                   const FormulaMethod& method, int64_t groups)
    : Quantizer(shape, options) {
  const auto spec = c10::make_intrusive<FormulaSpec>();
  spec->method = method;
  spec->tag = shape.tag;
  spec->groups = groups;
  spec->boundary = options.boundary;
  spec->grad_scale = clip_gradient_scale(shape, options, groups);
  spec->full_range = shape.tag == config::Tag::wt || !options.half_range;
  spec_ = spec;
  if (method.kernels.learns)
    clip_val_ = register_parameter(
        "clip_val", torch::full(per_group_shape(groups), options.boundary, torch::kFloat32));
}

torch::Tensor FormulaQuantizer::quantize(const torch::Tensor& x, torch::ScalarType type) {
  const auto clip_val = clip_val_.defined() ? std::optional(clip_val_) : std::nullopt;
  return FormulaFunction::apply(x, clip_val, level_num(), spec_, type);
}

Grid FormulaQuantizer::grid_of(const torch::Tensor&) const {
  const FormulaSpec& spec = spec_of(spec_);
  const double clip_value = 1, levels = options().levels();
  return spec.method.grid({.clip_val = &clip_value,
                           .level_num = &levels,
                           .boundary = spec.boundary,
                           .full_range = spec.full_range},
                          clip_val_.defined() ? clip_val_.detach().to(torch::kFloat64) : clip_val_,
                          level_num());
}

std::vector<CodeFormula> FormulaQuantizer::formulas() const {
  const FormulaSpec& spec = spec_of(spec_);
  const auto host = [](const torch::Tensor& numbers) {
    return numbers.defined() ? numbers.detach().to(torch::kCPU, torch::kFloat32).contiguous()
                             : numbers;
  };
  const torch::Tensor clip_val = host(clip_val_), level_num = host(this->level_num());
  std::vector<CodeFormula> formulas;
  for (int64_t group = 0; group < spec.groups; ++group)
    formulas.push_back(spec.method.formula(spec.arguments(clip_val, level_num), group));
  return formulas;
}

Lowering FormulaQuantizer::lower(const torch::Tensor& x) const {
  const WeightNormalization normalization(x, *this);
  Lowering lowering;
  lowering.grid = normalization.around(grid_of(x).cpu());
  for (const CodeFormula& formula : formulas())
    lowering.groups.push_back(
        step_function(normalization.around(formula, static_cast<int64_t>(lowering.groups.size()))));
  return lowering;
}

}  // namespace lowbit::quant
