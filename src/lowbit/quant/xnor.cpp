#include "lowbit/quant/xnor.h"

#include <torch/autograd.h>

#include "lowbit/core/error.h"
#include "lowbit/kernels/math/xnor.h"
#include "lowbit/kernels/xnor.h"
#include "lowbit/quant/grouped_tensor.h"
#include "lowbit/quant/weight_groups.h"
#include "lowbit/tensor/tensor.h"

namespace lowbit::quant {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// State shared by forward and backward of one quantizer, next to the saved tensors.
struct XnorSpec : torch::CustomClassHolder {
  config::Tag tag = config::Tag::fm;
  int64_t groups = 1;  // of weights
  config::XnorFactor factor = config::XnorFactor::none;
  kernels::XnorMask mask = kernels::XnorMask::none;
  Workspace workspace;
};
using XnorSpecPtr = c10::intrusive_ptr<XnorSpec>;

kernels::Means means_of(const GroupedTensor& x, const XnorSpec& spec) {
  if (spec.tag == config::Tag::wt) return {x.groups.run, 1};
  const int64_t channels = x.tensor.size(1);
  int64_t pixels = 1;
  for (int64_t dimension = 2; dimension < x.tensor.dim(); ++dimension)
    pixels *= x.tensor.size(dimension);
  const bool channels_last = x.format == torch::MemoryFormat::ChannelsLast;
  switch (spec.factor) {
    case config::XnorFactor::channel:
      return {channels, channels_last ? 1 : pixels};
    case config::XnorFactor::resolution:
      return {pixels, channels_last ? channels : 1};
    case config::XnorFactor::none:
      break;
  }
  return {};
}

// One kernel forward; one backward, but none where the gradient is that of the identity. gamma:
// none, or one number for each group.
class XnorFunction : public torch::autograd::Function<XnorFunction> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x,
                               const std::optional<torch::Tensor>& gamma, const XnorSpecPtr& spec,
                               torch::ScalarType type) {
    const GroupedTensor in = grouped(x, spec->tag, spec->groups);
    const torch::Tensor y = empty_like(in, type);
    kernels::xnor_forward(tensor::backend(x.device()),
                          {.x = tensor::input(in.tensor),
                           .y = tensor::output(y),
                           .size = x.numel(),
                           .means = means_of(in, *spec),
                           .gamma = gamma ? gamma->const_data_ptr() : nullptr,
                           .workspace = spec->workspace.get(x)},
                          tensor::current_stream(x.device()));
    if (gamma)
      context->save_for_backward({in.tensor, *gamma});
    else if (spec->mask != kernels::XnorMask::none)
      context->save_for_backward({in.tensor});
    context->saved_data["spec"] = c10::IValue::make_capsule(spec);
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    if (saved.empty()) return {grads[0], {}, {}, {}};
    const torch::Tensor& x = saved[0];
    const torch::Tensor gamma = saved.size() > 1 ? saved[1] : torch::Tensor();
    const auto capsule = context->saved_data["spec"].toCapsule();
    XnorSpec& spec = static_cast<XnorSpec&>(*capsule);
    const GroupedTensor in = grouped(x, spec.tag, spec.groups);
    const torch::Tensor grad_y = grads[0].contiguous(in.format);
    const torch::Tensor grad_x = empty_like(in, x.scalar_type());
    const torch::Tensor grad_gamma = gamma.defined() ? torch::empty_like(gamma) : gamma;
    kernels::xnor_backward(tensor::backend(x.device()),
                           {.x = tensor::input(x),
                            .grad_y = tensor::input(grad_y),
                            .grad_x = tensor::output(grad_x),
                            .size = x.numel(),
                            .means = means_of(in, spec),
                            .mask = spec.mask,
                            .gamma = gamma.defined() ? gamma.const_data_ptr() : nullptr,
                            .grad_gamma = gamma.defined() ? grad_gamma.mutable_data_ptr() : nullptr,
                            .workspace = spec.workspace.get(x)},
                           tensor::current_stream(x.device()));
    return {grad_x, grad_gamma, {}, {}};
  }
};

kernels::XnorMask mask_of(config::GradType type) {
  switch (type) {
    case config::GradType::ste:
      return kernels::XnorMask::ste;
    case config::GradType::triangle:
      return kernels::XnorMask::triangle;
    case config::GradType::ste_scale:
      throw core::usage_error("xnor has no gradient type STE-scale: choose none, STE or Triangle");
    case config::GradType::none:
      break;
  }
  return kernels::XnorMask::none;
}

class Xnor : public Quantizer {
 public:
  Xnor(const QuantShape& shape, const config::QuantOptions& options)
      : Quantizer(shape, options), spec_(c10::make_intrusive<XnorSpec>()) {
    spec_->tag = shape.tag;
    spec_->groups = is_weight() ? groups() : 1;
    spec_->factor = options.xnor_factor;
    spec_->mask = mask_of(options.grad_type);
    if (is_weight() && options.gamma)
      gamma_ = register_parameter("gamma", torch::ones({groups(), 1, 1, 1}));
  }

  bool counts_evaluation() const override { return false; }

  Lowering lower(const torch::Tensor& x) const override {
    const torch::NoGradGuard no_grad;
    return is_weight() ? lower_weight(x) : lower_features(x);
  }

 protected:
  torch::Tensor quantize(const torch::Tensor& x, torch::ScalarType type) override {
    return apply(x, type);
  }

  bool maps_by_fixed_function() const override {
    return !is_weight() && spec_->factor == config::XnorFactor::none;
  }
  bool warms_up() const override { return false; }

  Grid grid_of(const torch::Tensor& y) const override {
    if (is_weight()) return sign_grid(signed_magnitudes(y, groups(), gamma_));
    if (spec_->factor != config::XnorFactor::none) return {};
    return unit_signs(y);
  }

 private:
  bool is_weight() const { return shape().tag == config::Tag::wt; }

  torch::Tensor apply(const torch::Tensor& x, torch::ScalarType type) const {
    const auto gamma = gamma_.defined() ? std::optional(gamma_) : std::nullopt;
    return XnorFunction::apply(x, gamma, spec_, type);
  }

  Lowering lower_features(const torch::Tensor& x) const {
    Lowering lowering;
    lowering.grid = unit_signs(x);
    lowering.groups.push_back(step_function(formula(1.0F, 1.0F)));
    // All that share a mean have its magnitude.
    const torch::Tensor magnitude = apply(x, torch::kFloat32).abs();
    if (spec_->factor == config::XnorFactor::channel) {
      lowering.factor = magnitude.narrow(1, 0, 1);
      lowering.factor_mean_dims = {1};
    } else if (spec_->factor == config::XnorFactor::resolution) {
      lowering.factor = magnitude.flatten(2).narrow(2, 0, 1).view({x.size(0), x.size(1), 1, 1});
      lowering.factor_mean_dims = {2, 3};
    }
    return lowering;
  }

  Lowering lower_weight(const torch::Tensor& x) const {
    const WeightNormalization normalization(x, *this);
    const torch::Tensor normalized = normalization.normalize(x);
    const torch::Tensor means =
        magnitudes(XnorFunction::apply(normalized, std::nullopt, spec_, torch::kFloat32), groups());
    const torch::Tensor gamma = gamma_.defined() ? gamma_.detach().cpu() : torch::ones_like(means);
    Lowering lowering;
    lowering.grid = normalization.around(sign_grid(means * gamma));
    for (int64_t group = 0; group < groups(); ++group) {
      const CodeFormula signs =
          formula(means.flatten()[group].item<float>(), gamma.flatten()[group].item<float>());
      lowering.groups.push_back(step_function(normalization.around(signs, group)));
    }
    return lowering;
  }

  static Grid unit_signs(const torch::Tensor& like) {
    return sign_grid(torch::ones({1}, like.options().dtype(torch::kFloat64)));
  }

  static CodeFormula formula(float mean, float gamma) {
    return {[](float x) { return x < 0 ? 0.0F : 1.0F; },
            [=](float code) { return kernels::xnor_value(2 * code - 1, mean, gamma); },
            [](float) { return 0.0; }, 0, 1};
  }

  XnorSpecPtr spec_;
  torch::Tensor gamma_;
};

}  // namespace

std::shared_ptr<Quantizer> make_xnor(const QuantShape& shape, const config::QuantOptions& options) {
  return std::make_shared<Xnor>(shape, options);
}

}  // namespace lowbit::quant
