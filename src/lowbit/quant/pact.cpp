#include "lowbit/quant/pact.h"

#include <torch/autograd.h>

#include "lowbit/kernels/math/pact.h"
#include "lowbit/kernels/pact.h"
#include "lowbit/quant/dorefa.h"
#include "lowbit/quant/grouped_tensor.h"
#include "lowbit/tensor/tensor.h"

namespace lowbit::quant {
namespace {

struct PactSpec : torch::CustomClassHolder {
  Workspace workspace;
};

// One kernel forward, one backward.
class PactFunction : public torch::autograd::Function<PactFunction> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& clip_val, const torch::Tensor& level_num,
                               const c10::intrusive_ptr<PactSpec>& spec, torch::ScalarType type) {
    const GroupedTensor in = grouped(x, config::Tag::fm, 1);
    const torch::Tensor y = empty_like(in, type);
    kernels::pact_forward(tensor::backend(x.device()),
                          {.x = tensor::input(in.tensor),
                           .y = tensor::output(y),
                           .size = x.numel(),
                           .clip_val = clip_val.const_data_ptr(),
                           .level_num = level_num.const_data_ptr()},
                          tensor::current_stream(x.device()));
    context->save_for_backward({in.tensor, clip_val});
    context->saved_data["spec"] = c10::IValue::make_capsule(spec);
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor &x = saved[0], &clip_val = saved[1];
    const auto capsule = context->saved_data["spec"].toCapsule();
    PactSpec& spec = static_cast<PactSpec&>(*capsule);
    const GroupedTensor in = grouped(x, config::Tag::fm, 1);
    const torch::Tensor grad_y = grads[0].contiguous(in.format);
    const torch::Tensor grad_x = empty_like(in, x.scalar_type());
    const torch::Tensor grad_clip = torch::empty_like(clip_val);
    kernels::pact_backward(tensor::backend(x.device()),
                           {.x = tensor::input(x),
                            .grad_y = tensor::input(grad_y),
                            .grad_x = tensor::output(grad_x),
                            .grad_clip = grad_clip.mutable_data_ptr(),
                            .size = x.numel(),
                            .clip_val = clip_val.const_data_ptr(),
                            .workspace = spec.workspace.get(x)},
                           tensor::current_stream(x.device()));
    return {grad_x, grad_clip, {}, {}, {}};
  }
};

class Pact : public Quantizer {
 public:
  Pact(const QuantShape& shape, const config::QuantOptions& options)
      : Quantizer(shape, options), spec_(c10::make_intrusive<PactSpec>()) {
    clip_val_ = register_parameter("clip_val", torch::full({1}, options.boundary, torch::kFloat32));
  }

  Lowering lower(const torch::Tensor&) const override {
    const kernels::Pact<float> pact{clip_val_.item<float>(), level_num().item<float>() - 1};
    Lowering lowering;
    lowering.groups.push_back(step_function([&pact](float x) { return pact.value(x); }));
    return lowering;
  }

 protected:
  torch::Tensor quantize(const torch::Tensor& x, torch::ScalarType type) override {
    return PactFunction::apply(x, clip_val_, level_num(), spec_, type);
  }

  // As long as clip_val is above 0: below it PACT maps every number to clip_val.
  bool maps_zero() const override { return true; }

  std::optional<kernels::FeatureQuantizer> feature_formula() const override {
    return kernels::FeatureQuantizer{.kind = kernels::FeatureQuantizerKind::pact};
  }

  torch::Tensor unit_of(const torch::Tensor&) const override {
    return clip_val_.to(torch::kFloat64) / (level_num() - 1);
  }

  torch::Tensor clip_value() const override { return clip_val_; }

 private:
  torch::Tensor clip_val_;
  c10::intrusive_ptr<PactSpec> spec_;
};

}  // namespace

std::shared_ptr<Quantizer> make_pact(const QuantShape& shape, const config::QuantOptions& options) {
  if (shape.tag == config::Tag::wt) return make_dorefa(shape, options);
  return std::make_shared<Pact>(shape, options);
}

}  // namespace lowbit::quant
