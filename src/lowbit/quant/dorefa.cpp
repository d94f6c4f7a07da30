#include "lowbit/quant/dorefa.h"

#include <torch/autograd.h>

#include "lowbit/kernels/dorefa.h"
#include "lowbit/kernels/math/dorefa.h"
#include "lowbit/quant/grouped_tensor.h"
#include "lowbit/quant/weight_groups.h"
#include "lowbit/tensor/tensor.h"

namespace lowbit::quant {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// What forward and backward of one quantizer share beside tensors.
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

class ActivationFunction : public torch::autograd::Function<ActivationFunction> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& level_num, const DorefaSpecPtr& spec,
                               torch::ScalarType type) {
    const GroupedTensor in = grouped(x, config::Tag::fm, 1);
    const torch::Tensor y = empty_like(in, type);
    kernels::dorefa_activation_forward(tensor::backend(x.device()),
                                       {.x = tensor::input(in.tensor),
                                        .y = tensor::output(y),
                                        .size = x.numel(),
                                        .level_num = level_num.const_data_ptr(),
                                        .boundary = spec->boundary},
                                       tensor::current_stream(x.device()));
    save(context, in.tensor, spec);
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const torch::Tensor x = context->get_saved_variables()[0];
    const DorefaSpecPtr spec = saved_spec(context);
    const GroupedTensor in = grouped(x, config::Tag::fm, 1);
    const torch::Tensor grad_y = grads[0].contiguous(in.format);
    const torch::Tensor grad_x = empty_like(in, x.scalar_type());
    kernels::dorefa_activation_backward(tensor::backend(x.device()),
                                        {.x = tensor::input(x),
                                         .grad_y = tensor::input(grad_y),
                                         .grad_x = tensor::output(grad_x),
                                         .size = x.numel(),
                                         .boundary = spec->boundary},
                                        tensor::current_stream(x.device()));
    return {grad_x, {}, {}, {}};
  }
};

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

class DorefaActivation : public Quantizer {
 public:
  DorefaActivation(const QuantShape& shape, const config::QuantOptions& options)
      : Quantizer(shape, options), spec_(c10::make_intrusive<DorefaSpec>()) {
    spec_->boundary = options.boundary;
    if (shape.tag == config::Tag::ot && options.gamma)
      gamma_ = register_parameter("gamma", torch::ones({1, groups(), 1, 1}));
  }

  Lowering lower(const torch::Tensor&) const override {
    const kernels::DorefaActivation<float> dorefa{static_cast<float>(options().boundary),
                                                  level_num().item<float>() - 1};
    Lowering lowering;
    for (int64_t group = 0; group < (gamma_.defined() ? groups() : 1); ++group) {
      const float factor = factor_of(gamma_, group);
      lowering.groups.push_back(step_function([=](float x) { return dorefa.value(x) * factor; }));
    }
    return lowering;
  }

 protected:
  torch::Tensor quantize(const torch::Tensor& x, torch::ScalarType type) override {
    const torch::Tensor y = ActivationFunction::apply(x, level_num(), spec_, type);
    if (!gamma_.defined()) return y;
    const torch::Tensor per_channel = gamma_.repeat_interleave(y.size(1) / groups(), 1);
    return y * per_channel.to(type);
  }

  bool maps_zero() const override { return true; }

  std::optional<kernels::FeatureQuantizer> feature_formula() const override {
    if (gamma_.defined()) return std::nullopt;
    return kernels::FeatureQuantizer{.kind = kernels::FeatureQuantizerKind::dorefa,
                                     .boundary = options().boundary};
  }

  torch::Tensor unit_of(const torch::Tensor&) const override {
    const torch::Tensor unit = options().boundary / (level_num().to(torch::kFloat64) - 1);
    return gamma_.defined() ? unit * gamma_.abs() : unit;
  }

 private:
  DorefaSpecPtr spec_;
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
    const auto value = value_of(normalized);
    Lowering lowering;
    for (int64_t group = 0; group < groups(); ++group) {
      const float factor = factor_of(gamma_, group);
      lowering.groups.push_back(
          step_function(normalization.around([&](float v) { return value(v) * factor; }, group)));
    }
    return lowering;
  }

 protected:
  torch::Tensor quantize(const torch::Tensor& x, torch::ScalarType type) override {
    const torch::Tensor y = binary_ ? BinaryWeightFunction::apply(x, spec_, type)
                                    : WeightFunction::apply(x, level_num(), spec_, type);
    return gamma_.defined() ? scale_groups(y, gamma_) : y;
  }

  // A grid whose ends are not -1 and 1 has no level at a multiple of its steps.
  torch::Tensor unit_of(const torch::Tensor& y) const override {
    if (binary_) return magnitudes(y, groups());
    if (options().boundary != 1) return {};
    const torch::Tensor unit = 1 / (level_num().to(torch::kFloat64) - 1).view({1, 1, 1, 1});
    return gamma_.defined() ? unit * gamma_.abs() : unit;
  }

 private:
  // The quantizer of single numbers, with the statistics of `x`.
  std::function<float(float)> value_of(const torch::Tensor& x) const {
    if (binary_) {
      const torch::Tensor y = BinaryWeightFunction::apply(x, spec_, torch::kFloat32);
      const float mean = y.abs().max().item<float>();
      return [mean](float v) { return kernels::binary_weight(v, mean); };
    }
    const torch::Tensor all = x.contiguous();
    const float* first = all.const_data_ptr<float>();
    kernels::DorefaWeight<float> dorefa{static_cast<float>(options().boundary),
                                        level_num().item<float>() - 1, 0};
    for (int64_t i = 0; i < all.numel(); ++i)
      dorefa.max_abs = kernels::nan_max(dorefa.max_abs,
                                        kernels::absolute(kernels::hyperbolic_tangent(first[i])));
    return [dorefa](float v) { return dorefa.value(kernels::hyperbolic_tangent(v)); };
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
