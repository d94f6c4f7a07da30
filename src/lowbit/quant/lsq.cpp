#include "lowbit/quant/lsq.h"

#include <torch/autograd.h>

#include <cmath>

#include "lowbit/kernels/lsq.h"
#include "lowbit/kernels/math/lsq.h"
#include "lowbit/kernels/visit.h"
#include "lowbit/quant/grouped_tensor.h"
#include "lowbit/quant/weight_groups.h"
#include "lowbit/tensor/tensor.h"

namespace lowbit::quant {
namespace {

// State shared by forward and backward of one quantizer, next to the saved tensors.
struct LsqSpec : torch::CustomClassHolder {
  config::Tag tag = config::Tag::fm;
  int64_t groups = 1;
  kernels::LsqRange range = kernels::LsqRange::half;
  double grad_scale = 1;
  bool ste_scale = false;
  distributed::Group* group = nullptr;  // whose batches STE-scale counts; null: the own one
  Workspace workspace;
};

// LsqBackward::counted over all processes; undefined where x is all that is counted.
torch::Tensor count_inside(LsqSpec& spec, const GroupedTensor& in, const torch::Tensor& x,
                           const torch::Tensor& clip_val, const torch::Tensor& level_num) {
  if (!spec.ste_scale || !spec.group) return {};
  torch::Tensor counted = torch::empty({2}, torch::dtype(torch::kFloat64).device(x.device()));
  kernels::lsq_count_inside(tensor::backend(x.device()),
                            {.x = tensor::input(x),
                             .size = x.numel(),
                             .groups = in.groups,
                             .clip_val = clip_val.const_data_ptr(),
                             .level_num = level_num.const_data_ptr(),
                             .range = spec.range,
                             .counted = counted.data_ptr<double>(),
                             .workspace = spec.workspace.get(x)},
                            tensor::current_stream(x.device()));
  spec.group->sum(counted);
  return counted;
}

// One kernel forward, one backward. x is saved, the clip masks are not: the backward kernel finds
// them again.
class LsqFunction : public torch::autograd::Function<LsqFunction> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& clip_val, const torch::Tensor& level_num,
                               const c10::intrusive_ptr<LsqSpec>& spec, torch::ScalarType type) {
    const GroupedTensor in = grouped(x, spec->tag, spec->groups);
    const torch::Tensor y = empty_like(in, type);
    kernels::lsq_forward(tensor::backend(x.device()),
                         {.x = tensor::input(in.tensor),
                          .y = tensor::output(y),
                          .size = x.numel(),
                          .groups = in.groups,
                          .clip_val = clip_val.const_data_ptr(),
                          .level_num = level_num.const_data_ptr(),
                          .range = spec->range},
                         tensor::current_stream(x.device()));
    context->save_for_backward({in.tensor, clip_val, level_num});
    context->saved_data["spec"] = c10::IValue::make_capsule(spec);
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor &x = saved[0], &clip_val = saved[1], &level_num = saved[2];
    const auto capsule = context->saved_data["spec"].toCapsule();
    LsqSpec& spec = static_cast<LsqSpec&>(*capsule);
    const GroupedTensor in = grouped(x, spec.tag, spec.groups);
    const torch::Tensor grad_y = grads[0].contiguous(in.format);
    const torch::Tensor grad_x = empty_like(in, x.scalar_type());
    const torch::Tensor grad_clip = torch::empty_like(clip_val);
    const torch::Tensor counted = count_inside(spec, in, x, clip_val, level_num);
    kernels::lsq_backward(
        tensor::backend(x.device()),
        {.x = tensor::input(x),
         .grad_y = tensor::input(grad_y),
         .grad_x = tensor::output(grad_x),
         .grad_clip = grad_clip.mutable_data_ptr(),
         .size = x.numel(),
         .groups = in.groups,
         .clip_val = clip_val.const_data_ptr(),
         .level_num = level_num.const_data_ptr(),
         .range = spec.range,
         .grad_scale = spec.grad_scale,
         .ste_scale = spec.ste_scale,
         .counted = counted.defined() ? counted.const_data_ptr<double>() : nullptr,
         .workspace = spec.workspace.get(x)},
        tensor::current_stream(x.device()));
    return {grad_x, grad_clip, {}, {}, {}};
  }
};

kernels::LsqRange range_of(const QuantShape& shape, const config::QuantOptions& options) {
  if (shape.tag != config::Tag::wt && options.half_range) return kernels::LsqRange::half;
  // With two levels the symmetric form has none but zero.
  const bool symmetric = options.symmetry && options.levels() > 2;
  return symmetric ? kernels::LsqRange::symmetric : kernels::LsqRange::full;
}

class Lsq : public Quantizer {
 public:
  Lsq(const QuantShape& shape, const config::QuantOptions& options)
      : Quantizer(shape, options), spec_(c10::make_intrusive<LsqSpec>()) {
    clip_val_ = register_parameter(
        "clip_val", torch::full(per_group_shape(), options.boundary, torch::kFloat32));
    spec_->tag = shape.tag;
    spec_->groups = groups();
    spec_->range = range_of(shape, options);
    spec_->grad_scale = clip_gradient_scale(shape, options, groups());
    spec_->ste_scale = options.grad_type == config::GradType::ste_scale;
  }

  Lowering lower(const torch::Tensor& x) const override {
    const WeightNormalization normalization(x, *this);
    Lowering lowering;
    lowering.grid = normalization.around(grid_of(x).cpu());
    const auto level_num = this->level_num().item<float>();
    const torch::Tensor clip_values = clip_val_.detach().to(torch::kCPU, torch::kFloat32).flatten();
    kernels::visit_grid<float>(spec_->range, [&]<class Grid>(kernels::Type<Grid>) {
      for (int64_t group = 0; group < groups(); ++group) {
        const kernels::Lsq<Grid, float> lsq(clip_values[group].item<float>(), level_num);
        lowering.groups.push_back(step_function(normalization.around(code_formula(lsq), group)));
      }
    });
    return lowering;
  }

 protected:
  torch::Tensor quantize(const torch::Tensor& x, torch::ScalarType type) override {
    spec_->group = sharing_group();
    return LsqFunction::apply(x, clip_val_, level_num(), spec_, type);
  }

  // Not with STE-scale: there the padded zeros are among the elements that are counted.
  bool maps_zero() const override {
    return spec_->range != kernels::LsqRange::full && !spec_->ste_scale;
  }

  std::optional<kernels::FeatureQuantizer> feature_formula() const override {
    if (spec_->range != kernels::LsqRange::half || spec_->ste_scale) return std::nullopt;
    return kernels::FeatureQuantizer{.kind = kernels::FeatureQuantizerKind::lsq,
                                     .arguments = {.grad_scale = spec_->grad_scale}};
  }

  Grid grid_of(const torch::Tensor&) const override {
    const torch::Tensor clip = clip_val_.to(torch::kFloat64).abs();
    const torch::Tensor level_num = this->level_num().to(torch::kFloat64);
    const int n = options().levels() - 1;
    switch (spec_->range) {
      case kernels::LsqRange::half:
        return uniform_grid(n + 1, clip / (level_num - 1));
      case kernels::LsqRange::full:
        return uniform_grid(n + 1, 2 * clip / (level_num - 1), -n / 2.0);
      case kernels::LsqRange::symmetric:
        break;
    }
    // An odd number of levels rounds its ends outwards.
    const int most = static_cast<int>(std::lrint((n + 1) / 2.0 - 1));
    return uniform_grid(2 * most + 1, clip / (level_num / 2 - 1), -most);
  }

  // Below four the symmetric form has no level but zero.
  int fewest_levels() const override {
    return spec_->range == kernels::LsqRange::symmetric ? 4 : 2;
  }

  torch::Tensor clip_value() const override { return clip_val_; }

 private:
  bool is_weight() const { return shape().tag == config::Tag::wt; }

  torch::Tensor clip_val_;
  c10::intrusive_ptr<LsqSpec> spec_;
};

}  // namespace

std::shared_ptr<Quantizer> make_lsq(const QuantShape& shape, const config::QuantOptions& options) {
  return std::make_shared<Lsq>(shape, options);
}

}  // namespace lowbit::quant
