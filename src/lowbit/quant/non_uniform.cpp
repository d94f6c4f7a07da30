#include "lowbit/quant/non_uniform.h"

#include <fmt/format.h>
#include <torch/autograd.h>

#include <array>
#include <optional>

#include "lowbit/core/error.h"
#include "lowbit/kernels/math/non_uniform.h"
#include "lowbit/kernels/non_uniform.h"
#include "lowbit/quant/grouped_tensor.h"
#include "lowbit/quant/weight_groups.h"
#include "lowbit/tensor/tensor.h"

namespace lowbit::quant {
namespace {

using kernels::NonUniformRange;
using kernels::NonUniformSteps;

// One for each step; undefined beyond.
using Alphas = std::array<torch::Tensor, NonUniformSteps::kMax>;

// State shared by forward and backward of one quantizer, next to the saved tensors.
struct NonUniformSpec : torch::CustomClassHolder {
  config::Tag tag = config::Tag::fm;
  int64_t groups = 1;
  NonUniformRange range = NonUniformRange::half;
  bool ste_scale = false;
  distributed::Group* group = nullptr;  // whose batches STE-scale counts; null: the own one
  Workspace workspace;
};
using NonUniformSpecPtr = c10::intrusive_ptr<NonUniformSpec>;

NonUniformSteps steps_of(const Alphas& alphas, const torch::Tensor& level_num,
                         NonUniformRange range) {
  NonUniformSteps steps{.level_num = level_num.const_data_ptr(), .range = range};
  for (; steps.count < NonUniformSteps::kMax; ++steps.count) {
    const torch::Tensor& alpha = alphas[static_cast<size_t>(steps.count)];
    if (!alpha.defined()) break;
    steps.alpha[steps.count] = alpha.const_data_ptr();
  }
  return steps;
}

// As autograd functions take a tensor that may be undefined.
using MaybeTensor = std::optional<torch::Tensor>;
MaybeTensor maybe(const torch::Tensor& tensor) {
  return tensor.defined() ? MaybeTensor(tensor) : std::nullopt;
}

const void* data_or_null(const torch::Tensor& tensor) {
  return tensor.defined() ? tensor.const_data_ptr() : nullptr;
}

// NonUniformSteps::counted of x, over all processes that share the batch; undefined without
// STE-scale.
torch::Tensor count_inside(NonUniformSpec& spec, const GroupedTensor& in, const torch::Tensor& x,
                           const NonUniformSteps& steps) {
  if (!spec.ste_scale) return {};
  torch::Tensor counted = torch::empty({kernels::NonUniformFit::kSums},
                                       torch::dtype(torch::kFloat64).device(x.device()));
  kernels::non_uniform_fit(tensor::backend(x.device()),
                           {.x = tensor::input(x),
                            .size = x.numel(),
                            .groups = in.groups,
                            .steps = steps,
                            .counts_inside = true,
                            .sums = counted.data_ptr<double>(),
                            .workspace = spec.workspace.get(x)},
                           tensor::current_stream(x.device()));
  if (spec.group) spec.group->sum(counted);
  return counted;
}

// One kernel forward, one backward. `basis` is undefined where there is no closed form.
class NonUniformFunction : public torch::autograd::Function<NonUniformFunction> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& alpha0, const MaybeTensor& alpha1,
                               const MaybeTensor& alpha2, const torch::Tensor& level_num,
                               const MaybeTensor& maybe_basis, const NonUniformSpecPtr& spec,
                               torch::ScalarType type) {
    const Alphas alphas = {alpha0, alpha1.value_or(torch::Tensor()),
                           alpha2.value_or(torch::Tensor())};
    const torch::Tensor basis = maybe_basis.value_or(torch::Tensor());
    const GroupedTensor in = grouped(x, spec->tag, spec->groups);
    const torch::Tensor y = empty_like(in, type);
    kernels::non_uniform_forward(tensor::backend(x.device()),
                                 {.x = tensor::input(in.tensor),
                                  .y = tensor::output(y),
                                  .size = x.numel(),
                                  .groups = in.groups,
                                  .steps = steps_of(alphas, level_num, spec->range),
                                  .basis = data_or_null(basis)},
                                 tensor::current_stream(x.device()));
    context->save_for_backward({in.tensor, alphas[0], alphas[1], alphas[2], level_num, basis});
    context->saved_data["spec"] = c10::IValue::make_capsule(spec);
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor &x = saved[0], &level_num = saved[4], &basis = saved[5];
    const Alphas alphas = {saved[1], saved[2], saved[3]};
    const auto capsule = context->saved_data["spec"].toCapsule();
    NonUniformSpec& spec = static_cast<NonUniformSpec&>(*capsule);
    const GroupedTensor in = grouped(x, spec.tag, spec.groups);
    const torch::Tensor grad_y = grads[0].contiguous(in.format);
    const torch::Tensor grad_x = empty_like(in, x.scalar_type());
    kernels::NonUniformBackward args{.x = tensor::input(x),
                                     .grad_y = tensor::input(grad_y),
                                     .grad_x = tensor::output(grad_x),
                                     .size = x.numel(),
                                     .groups = in.groups,
                                     .steps = steps_of(alphas, level_num, spec.range),
                                     .basis = data_or_null(basis),
                                     .workspace = spec.workspace.get(x)};
    const torch::Tensor counted = count_inside(spec, in, x, args.steps);
    if (counted.defined()) args.steps.counted = counted.const_data_ptr<double>();
    Alphas grad_alphas;
    for (size_t i = 0; i < static_cast<size_t>(args.steps.count); ++i) {
      grad_alphas[i] = torch::empty_like(alphas[i]);
      args.grad_alpha[i] = grad_alphas[i].mutable_data_ptr();
    }
    kernels::non_uniform_backward(tensor::backend(x.device()), args,
                                  tensor::current_stream(x.device()));
    return {grad_x, grad_alphas[0], grad_alphas[1], grad_alphas[2], {}, {}, {}, {}};
  }
};

class NonUniform : public Quantizer {
 public:
  NonUniform(const QuantShape& shape, const config::QuantOptions& options)
      : Quantizer(shape, options), spec_(c10::make_intrusive<NonUniformSpec>()) {
    spec_->tag = shape.tag;
    spec_->groups = groups();
    spec_->ste_scale = options.grad_type == config::GradType::ste_scale;
    const bool half = !is_weight() && options.half_range;
    spec_->range = half ? NonUniformRange::half : NonUniformRange::ternary;
    check_levels(half);
    // Checkpoints have it though nothing reads it.
    if (!is_weight())
      register_parameter("clip_val",
                         torch::full(per_group_shape(), options.boundary, torch::kFloat32),
                         /*requires_grad=*/false);
    const double start = is_weight() ? options.scale : options.scale / options.boundary;
    for (int i = 0; i < options.levels() - 1; ++i)
      alphas_[static_cast<size_t>(i)] = register_parameter(
          fmt::format("alpha{}", i), torch::full(per_group_shape(), start, torch::kFloat32));
    if (is_weight() || !options.closed_form) return;
    basis_ = register_buffer("basis", torch::ones({1}));
    auxil_ = register_buffer("auxil", torch::zeros({1}));
  }

  Lowering lower(const torch::Tensor& x) const override {
    Alphas values;
    for (size_t i = 0; i < alphas_.size(); ++i)
      if (alphas_[i].defined()) values[i] = on_host(alphas_[i]);
    const torch::Tensor level_num = on_host(this->level_num());
    const float basis = basis_.defined() ? basis_.item<float>() : 1.0F;
    const NonUniformSteps steps = steps_of(values, level_num, spec_->range);
    const WeightNormalization normalization(x, *this);
    Lowering lowering;
    lowering.grid = normalization.around(grid_of(x).cpu());
    for (int64_t group = 0; group < groups(); ++group) {
      const CodeFormula formula =
          times(code_formula(kernels::NonUniform<float>(steps, group)), basis);
      lowering.groups.push_back(step_function(normalization.around(formula, group)));
    }
    return lowering;
  }

  bool follows_level_num() const override { return false; }
  bool counts_training_twice() const override { return basis_.defined(); }

 protected:
  torch::Tensor quantize(const torch::Tensor& x, torch::ScalarType type) override {
    spec_->group = sharing_group();
    if (basis_.defined() && is_training()) fit_basis(x);
    return NonUniformFunction::apply(x, alphas_[0], maybe(alphas_[1]), maybe(alphas_[2]),
                                     level_num(), maybe(basis_), spec_, type);
  }

  // Not with a closed form, where the padded zeros may be part of a mean, nor with STE-scale, which
  // counts them.
  bool maps_zero() const override { return !basis_.defined() && !spec_->ste_scale; }

  Grid grid_of(const torch::Tensor& y) const override {
    const torch::Tensor scale =
        basis_.defined() ? basis_ : torch::ones({1}, y.options().dtype(torch::kFloat64));
    const bool half = spec_->range == NonUniformRange::half;
    return uniform_grid(options().levels(), scale, half ? 0 : -1);
  }

 private:
  bool is_weight() const { return shape().tag == config::Tag::wt; }

  static torch::Tensor on_host(const torch::Tensor& tensor) {
    return tensor.detach().to(torch::kCPU, torch::kFloat32).contiguous();
  }

  void check_levels(bool half) const {
    const int levels = options().levels();
    if (half ? levels > NonUniformSteps::kMax + 1 : levels != 3)
      throw core::usage_error("non-uniform in {} range has {} levels, not {}",
                              half ? "half" : "full", half ? "2 to 4" : "3", levels);
  }

  void fit_basis(const torch::Tensor& x) {
    const GroupedTensor in = grouped(x.detach(), spec_->tag, spec_->groups);
    kernels::NonUniformFit fit{.x = tensor::input(in.tensor),
                               .size = x.numel(),
                               .groups = in.groups,
                               .steps = steps_of(alphas_, level_num(), spec_->range),
                               .basis = basis_.mutable_data_ptr(),
                               .auxil = auxil_.mutable_data_ptr(),
                               .iteration = iteration().const_data_ptr(),
                               .running_mean = options().custom_update,
                               .workspace = spec_->workspace.get(x)};
    const auto backend = tensor::backend(x.device());
    const auto stream = tensor::current_stream(x.device());
    distributed::Group* group = sharing_group();
    torch::Tensor sums;
    if (group) {
      sums = torch::empty({kernels::NonUniformFit::kSums},
                          torch::dtype(torch::kFloat64).device(x.device()));
      fit.sums = sums.data_ptr<double>();
    }
    kernels::non_uniform_fit(backend, fit, stream);
    if (!group) return;
    group->sum(sums);
    kernels::non_uniform_fit_sums(backend, fit, stream);
  }

  Alphas alphas_;
  torch::Tensor basis_, auxil_;  // undefined without a closed form
  NonUniformSpecPtr spec_;
};

}  // namespace

std::shared_ptr<Quantizer> make_non_uniform(const QuantShape& shape,
                                            const config::QuantOptions& options) {
  return std::make_shared<NonUniform>(shape, options);
}

}  // namespace lowbit::quant
