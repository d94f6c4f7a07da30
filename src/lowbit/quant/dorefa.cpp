#include "lowbit/quant/dorefa.h"

#include <torch/autograd.h>

#include <cmath>

#include "lowbit/kernels/dorefa.h"
#include "lowbit/kernels/math/dorefa.h"
#include "lowbit/quant/formula_quantizer.h"
#include "lowbit/quant/grouped_tensor.h"
#include "lowbit/quant/weight_groups.h"
#include "lowbit/tensor/tensor.h"

namespace lowbit::quant {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// State shared by forward and backward of one quantizer, next to the saved tensors.
struct DorefaSpec : torch::CustomClassHolder {
  double boundary = 1;
  Workspace workspace;
};
using DorefaSpecPtr = c10::intrusive_ptr<DorefaSpec>;

void save(AutogradContext* context, const torch::Tensor& x, const DorefaSpecPtr& spec) {
  context->save_for_backward({x});
  context->saved_data["spec"] = c10::IValue::make_capsule(spec);
}

DorefaSpecPtr saved_spec(AutogradContext* context) {
  return c10::static_intrusive_pointer_cast<DorefaSpec>(context->saved_data["spec"].toCapsule());
}

class WeightFunction : public torch::autograd::Function<WeightFunction> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& level_num, const DorefaSpecPtr& spec,
                               torch::ScalarType type) {
    const GroupedTensor in = grouped(x, config::Tag::wt, 1);
    const torch::Tensor y = empty_like(in, type);
    kernels::dorefa_weight_forward(tensor::backend(x.device()),
                                   {.x = tensor::input(in.tensor),
                                    .y = tensor::output(y),
                                    .size = x.numel(),
                                    .level_num = level_num.const_data_ptr(),
                                    .boundary = spec->boundary,
                                    .workspace = spec->workspace.get(x)},
                                   tensor::current_stream(x.device()));
    save(context, in.tensor, spec);
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const torch::Tensor x = context->get_saved_variables()[0];
    const DorefaSpecPtr spec = saved_spec(context);
    const GroupedTensor in = grouped(x, config::Tag::wt, 1);
    const torch::Tensor grad_y = grads[0].contiguous(in.format);
    const torch::Tensor grad_x = empty_like(in, x.scalar_type());
    kernels::dorefa_weight_backward(tensor::backend(x.device()),
                                    {.x = tensor::input(x),
                                     .grad_y = tensor::input(grad_y),
                                     .grad_x = tensor::output(grad_x),
                                     .size = x.numel(),
                                     .workspace = spec->workspace.get(x)},
                                    tensor::current_stream(x.device()));
    return {grad_x, {}, {}, {}};
  }
};

class BinaryWeightFunction : public torch::autograd::Function<BinaryWeightFunction> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x,
                               const DorefaSpecPtr& spec, torch::ScalarType type) {
    const GroupedTensor in = grouped(x, config::Tag::wt, 1);
    const torch::Tensor y = empty_like(in, type);
    kernels::binary_weight_forward(tensor::backend(x.device()),
                                   {.x = tensor::input(in.tensor),
                                    .y = tensor::output(y),
                                    .size = x.numel(),
                                    .workspace = spec->workspace.get(x)},
                                   tensor::current_stream(x.device()));
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    return {grads[0], {}, {}};
  }
};

// Of a learned factor per group; 1 if there is none.
float factor_of(const torch::Tensor& gamma, int64_t group) {
  return gamma.defined() ? gamma.flatten()[group].item<float>() : 1.0F;
}

// The same for all groups, float64 [groups]; undefined if there is none.
torch::Tensor factors_of(const torch::Tensor& gamma) {
  return gamma.defined() ? gamma.detach().to(torch::kFloat64).flatten() : gamma;
}

class DorefaActivation : public FormulaQuantizer {
 public:
  DorefaActivation(const QuantShape& shape, const config::QuantOptions& options)
      : FormulaQuantizer(shape, options, formula_method<kernels::DorefaActivation>(),
                         /*groups=*/1) {
    if (shape.tag == config::Tag::ot && options.gamma)
      gamma_ = register_parameter("gamma", torch::ones({1, groups(), 1, 1}));
  }

  Lowering lower(const torch::Tensor& x) const override {
    if (!gamma_.defined()) return FormulaQuantizer::lower(x);
    Lowering lowering;
    lowering.grid = grid_of(x).cpu();
    const CodeFormula formula = formulas()[0];
    for (int64_t group = 0; group < groups(); ++group)
      lowering.groups.push_back(step_function(times(formula, factor_of(gamma_, group))));
    return lowering;
  }

 protected:
  torch::Tensor quantize(const torch::Tensor& x, torch::ScalarType type) override {
    const torch::Tensor y = FormulaQuantizer::quantize(x, type);
    if (!gamma_.defined()) return y;
    const torch::Tensor per_channel = gamma_.repeat_interleave(y.size(1) / groups(), 1);
    return y * per_channel.to(type);
  }

  Grid grid_of(const torch::Tensor& y) const override {
    return scaled_grid(FormulaQuantizer::grid_of(y), factors_of(gamma_), /*offset=*/{});
  }

  bool maps_zero() const override { return true; }

  std::optional<kernels::FeatureQuantizer> feature_formula() const override {
    if (gamma_.defined()) return std::nullopt;
    return kernels::FeatureQuantizer{.kind = kernels::FeatureQuantizerKind::dorefa,
                                     .arguments = {.boundary = options().boundary}};
  }

 private:
  torch::Tensor gamma_;
};

class DorefaWeight : public Quantizer {
 public:
  DorefaWeight(const QuantShape& shape, const config::QuantOptions& options)
      : Quantizer(shape, options),
        spec_(c10::make_intrusive<DorefaSpec>()),
        binary_(options.binary_mean && options.levels() == 2) {
    spec_->boundary = options.boundary;
    if (options.gamma) gamma_ = register_parameter("gamma", torch::ones({groups(), 1, 1, 1}));
  }

  // Two levels may be another formula.
  bool follows_level_num() const override { return !options().binary_mean; }

  Lowering lower(const torch::Tensor& x) const override {
    const WeightNormalization normalization(x, *this);
    const torch::Tensor normalized = normalization.normalize(x);
    const torch::Tensor mean = binary_ ? mean_of(normalized) : torch::Tensor();
    const CodeFormula formula = binary_
                                    ? code_formula(kernels::BinaryWeight<float>{mean.item<float>()})
                                    : code_formula(levels_of(normalized));
    Lowering lowering;
    lowering.grid = normalization.around(
        scaled_grid(binary_ ? sign_grid(mean) : level_grid().cpu(), host_factors(), /*offset=*/{}));
    for (int64_t group = 0; group < groups(); ++group)
      lowering.groups.push_back(
          step_function(normalization.around(times(formula, factor_of(gamma_, group)), group)));
    return lowering;
  }

 protected:
  torch::Tensor quantize(const torch::Tensor& x, torch::ScalarType type) override {
    const torch::Tensor y = binary_ ? BinaryWeightFunction::apply(x, spec_, type)
                                    : WeightFunction::apply(x, level_num(), spec_, type);
    return gamma_.defined() ? scale_groups(y, gamma_) : y;
  }

  Grid grid_of(const torch::Tensor& y) const override {
    if (binary_) return sign_grid(signed_magnitudes(y, groups(), gamma_));
    return scaled_grid(level_grid(), factors_of(gamma_), /*offset=*/{});
  }

 private:
  torch::Tensor host_factors() const {
    return factors_of(gamma_.defined() ? gamma_.cpu() : gamma_);
  }

  // 2 k c / n - 1
  Grid level_grid() const {
    const double c = options().boundary, n = options().levels() - 1;
    return uniform_grid(static_cast<int>(std::lrint(n / c)) + 1,
                        2 * c / (level_num().to(torch::kFloat64) - 1), -n / (2 * c));
  }

  // mean |x|, [1]
  torch::Tensor mean_of(const torch::Tensor& x) const {
    return BinaryWeightFunction::apply(x, spec_, torch::kFloat32).abs().max().view({1});
  }

  // The formula of single numbers, with the maximum of `x`.
  kernels::DorefaWeight<float> levels_of(const torch::Tensor& x) const {
    const torch::Tensor all = x.contiguous();
    const float* first = all.const_data_ptr<float>();
    kernels::DorefaWeight<float> dorefa{static_cast<float>(options().boundary),
                                        level_num().item<float>() - 1, 0};
    for (int64_t i = 0; i < all.numel(); ++i)
      dorefa.max_abs = kernels::nan_max(dorefa.max_abs,
                                        kernels::absolute(kernels::hyperbolic_tangent(first[i])));
    return dorefa;
  }

  DorefaSpecPtr spec_;
  bool binary_;
  torch::Tensor gamma_;
};

}  // namespace

std::shared_ptr<Quantizer> make_dorefa(const QuantShape& shape,
                                       const config::QuantOptions& options) {
  if (shape.tag == config::Tag::wt) return std::make_shared<DorefaWeight>(shape, options);
  return std::make_shared<DorefaActivation>(shape, options);
}

}  // namespace lowbit::quant
