#include "lowbit/quant/lq.h"

#include <torch/autograd.h>

#include <bit>
#include <cmath>
#include <utility>

#include "lowbit/kernels/lq.h"
#include "lowbit/kernels/math/lq.h"
#include "lowbit/quant/grouped_tensor.h"
#include "lowbit/quant/lq_normalization.h"
#include "lowbit/tensor/tensor.h"

namespace lowbit::quant {
namespace {

// Added to the factor that a sample is divided by.
constexpr double kEpsilon = 1e-5;

// The number of basis values. Three levels are those of one bit: code 2 is code 0 again.
int bits_of(const config::QuantOptions& options) {
  if (options.levels() == 3) return 1;
  return options.bit
             ? *options.bit
             : static_cast<int>(std::bit_width(static_cast<unsigned>(options.levels() - 1)));
}

// [bits, groups]: powers of two times the place of the first quartile's half.
torch::Tensor start_basis(const QuantShape& shape, int bits, int64_t groups) {
  const double deviation =
      shape.tag == config::Tag::wt ? std::sqrt(2.0 / static_cast<double>(shape.fan())) : 2.0;
  const double base = 0.6745 * deviation / std::exp2(bits - 1);
  torch::Tensor basis = torch::empty({bits, groups});
  for (int i = 0; i < bits; ++i) basis[i].fill_(std::exp2(i) * base);
  return basis;
}

// [levels, bits]: the digits of each code, the lowest first.
torch::Tensor codec(int levels, int bits, bool half_range) {
  torch::Tensor vectors = torch::empty({levels, bits});
  for (int code = 0; code < levels; ++code)
    for (int i = 0; i < bits; ++i)
      vectors[code][i] = (code >> i & 1) != 0 ? 1.0F : half_range ? 0.0F : -1.0F;
  return vectors;
}

// [levels - 1, levels]: where between its two neighbors a threshold stands.
torch::Tensor threshold_multiplier(int levels, bool half_range, double scale) {
  torch::Tensor rows = torch::zeros({levels - 1, levels});
  for (int i = 1; i < levels; ++i) {
    const bool middle = !half_range && 2 * i == levels;
    const double share = middle ? 0.5 : scale;
    const bool mirrored = !half_range && 2 * i < levels;
    rows[i - 1][i - 1] = mirrored ? 1 - share : share;
    rows[i - 1][i] = mirrored ? share : 1 - share;
  }
  return rows;
}

// What follows from the options alone, as checkpoints hold it.
struct CodeTables {
  torch::Tensor codec_vector, codec_index, thrs_multiplier;
};

CodeTables code_tables(const config::QuantOptions& options, int bits) {
  const int levels = options.levels();
  return {codec(levels, bits, options.half_range), torch::arange(levels, torch::kInt32),
          threshold_multiplier(levels, options.half_range, options.scale)};
}

// Whether `tensor` had other values.
bool restore(torch::Tensor tensor, const torch::Tensor& value) {
  const torch::Tensor wanted = value.to(tensor.options());
  if (torch::allclose(tensor, wanted)) return false;
  tensor.copy_(wanted);
  return true;
}

struct Tables {
  torch::Tensor levels;      // [groups, levels]
  torch::Tensor thresholds;  // [groups, levels - 1]
  torch::Tensor codes;       // int32 [groups, levels]

  kernels::LqTables pointers() const {
    return {levels.data_ptr(), thresholds.data_ptr(), codes.data_ptr<int32_t>()};
  }
};

// What a forward pass leaves behind.
struct Pass {
  torch::Tensor y;
  torch::Tensor normalized;  // what the levels were chosen for
  torch::Tensor levels;      // Tables::levels; undefined: the gradient is that of the identity
  config::Tag tag = config::Tag::fm;
  int64_t groups = 1;
};

// The value of pass.y, the gradient of x.
class LqFunction : public torch::autograd::Function<LqFunction> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const Pass& pass) {
    context->saved_data["type"] = x.scalar_type();
    context->saved_data["tag"] = static_cast<int64_t>(pass.tag);
    context->saved_data["groups"] = pass.groups;
    if (pass.levels.defined()) context->save_for_backward({pass.normalized, pass.levels});
    return pass.y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    const auto saved = context->get_saved_variables();
    if (saved.empty()) return {grads[0].to(context->saved_data["type"].toScalarType()), {}};
    const torch::Tensor &x = saved[0], &levels = saved[1];
    const auto tag = static_cast<config::Tag>(context->saved_data["tag"].toInt());
    const GroupedTensor in = grouped(x, tag, context->saved_data["groups"].toInt());
    const torch::Tensor grad_y = grads[0].contiguous(in.format);
    const torch::Tensor grad_x = empty_like(in, x.scalar_type());
    kernels::lq_backward(tensor::backend(x.device()),
                         {.x = tensor::input(in.tensor),
                          .grad_y = tensor::input(grad_y),
                          .grad_x = tensor::output(grad_x),
                          .size = x.numel(),
                          .groups = in.groups,
                          .level_count = static_cast<int>(levels.size(1)),
                          .levels = levels.const_data_ptr()},
                         tensor::current_stream(x.device()));
    return {grad_x, {}};
  }
};

class Lq : public Quantizer {
 public:
  Lq(const QuantShape& shape, const config::QuantOptions& options)
      : Quantizer(shape, options),
        bits_(bits_of(options)),
        workspace_(kernels::lq_workspace_bytes(bits_)) {
    const auto untrained = [this](const char* name, const torch::Tensor& value) {
      return register_parameter(name, value, /*requires_grad=*/false);
    };
    basis_ = untrained("basis", start_basis(shape, bits_, groups()));
    auxil_ = untrained("auxil", torch::zeros({bits_, groups()}));
    const CodeTables tables = code_tables(options, bits_);
    codec_vector_ = untrained("codec_vector", tables.codec_vector);
    codec_index_ = untrained("codec_index", tables.codec_index);
    multiplier_ = untrained("thrs_multiplier", tables.thrs_multiplier);
  }

  bool counts_evaluation() const override { return false; }
  bool follows_level_num() const override { return false; }

  std::string trouble() const override {
    if (!unsolved_.defined() || unsolved_.item<float>() == 0) return "";
    return "LQ found no basis for a group (all values on few levels, or not finite): it kept the "
           "one before";
  }

  Lowering lower(const torch::Tensor& x) const override {
    const Tables tables = build_tables(torch::kCPU, torch::kFloat32);
    const auto count = static_cast<int>(tables.levels.size(1));
    const LqNormalization normalization(x, *this);
    Lowering lowering;
    lowering.grid = normalization.around(digit_grid().cpu());
    for (int64_t group = 0; group < groups(); ++group) {
      const float* levels = tables.levels.const_data_ptr<float>() + group * count;
      const float* thresholds = tables.thresholds.const_data_ptr<float>() + group * (count - 1);
      const int32_t* codes = tables.codes.const_data_ptr<int32_t>() + group * count;
      // By the place of a level: levels ascend, codes need not.
      const CodeFormula formula{
          [=](float v) {
            return static_cast<float>(kernels::lq_position(v, thresholds, count - 1));
          },
          [=](float place) { return levels[static_cast<int>(place)]; },
          [=](float place) { return double{thresholds[static_cast<int>(place) - 1]}; }, 0,
          static_cast<float>(count - 1)};
      StepFunction steps = step_function(normalization.around(formula, group));
      for (int& code : steps.codes) code = codes[code];
      lowering.groups.push_back(std::move(steps));
    }
    if (divides_samples()) {
      lowering.factor = sample_factor(x);
      lowering.factor_divides_input = true;
      if (options().adaptive == config::Adaptive::mean) lowering.factor_mean_dims = {1, 2, 3};
      lowering.factor_of_magnitudes = false;
      lowering.factor_offset = kEpsilon;
    }
    return lowering;
  }

 protected:
  torch::Tensor quantize(const torch::Tensor& x, torch::ScalarType type) override {
    return LqFunction::apply(x, pass(x, type));
  }

  // A factor or offset of the input's statistics is not in the numbers that y consists of.
  Grid grid_of(const torch::Tensor&) const override {
    const bool normalized = is_weight() && options().adaptive != config::Adaptive::none &&
                            options().adaptive != config::Adaptive::var_mean;
    return normalized || divides_samples() ? Grid() : digit_grid();
  }

  bool restore_tables() override {
    const CodeTables tables = code_tables(options(), bits_);
    const bool vector = restore(codec_vector_, tables.codec_vector);
    const bool index = restore(codec_index_, tables.codec_index);
    return restore(multiplier_, tables.thrs_multiplier) || vector || index;
  }

  // In half range code 0 is the first of the levels that are 0, the threshold below it is negative
  // and the one above is not, if they lie between the levels: 0 becomes 0. Its digits and its
  // products with x add nothing to the least squares. A sample's factor, though, counts zeros.
  bool maps_zero() const override {
    return !is_weight() && options().half_range && options().scale <= 1 && !divides_samples();
  }

 private:
  bool is_weight() const { return shape().tag == config::Tag::wt; }

  // fm, ot: each sample is quantized in units of its own mean or deviation.
  bool divides_samples() const {
    const config::Adaptive adaptive = options().adaptive;
    return !is_weight() &&
           (adaptive == config::Adaptive::mean || adaptive == config::Adaptive::var);
  }

  // A plane for each number of the basis: its digit in the vector of each code.
  Grid digit_grid() const {
    Grid grid;
    const int low = options().half_range ? 0 : -1;
    for (int bit = 0; bit < bits_; ++bit) {
      GridPlane plane{{}, basis_[bit].detach().to(torch::kFloat64)};
      for (int code = 0; code < options().levels(); ++code)
        plane.integers.push_back((code >> bit & 1) != 0 ? 1 : low);
      grid.planes.push_back(std::move(plane));
    }
    return grid;
  }

  // [B, 1, 1, 1] for x [B, C, H, W].
  torch::Tensor sample_factor(const torch::Tensor& x) const {
    const torch::Tensor samples = x.flatten(1);
    const torch::Tensor factor =
        options().adaptive == config::Adaptive::mean ? samples.mean(1) : samples.std(1);
    std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
    shape[0] = x.size(0);
    return (factor + kEpsilon).reshape(shape);
  }

  Pass pass(const torch::Tensor& x, torch::ScalarType type) {
    const torch::NoGradGuard no_grad;
    if (is_weight()) {
      const LqNormalization normalization(x, *this);
      Pass result = nearest_levels(normalization.normalize(x), type);
      result.y = normalization.restore(result.y);
      result.levels = torch::Tensor();
      return result;
    }
    if (!divides_samples()) return nearest_levels(x, type);
    const torch::Tensor factor = sample_factor(x);
    Pass result = nearest_levels(x / factor, type);
    result.y = result.y * factor.to(type);
    return result;
  }

  // The levels that take the place of x, as `type`; in training, the basis then follows x.
  Pass nearest_levels(const torch::Tensor& x, torch::ScalarType type) {
    const GroupedTensor in = grouped(x.detach(), shape().tag, groups());
    const Tables tables = build_tables(x.device(), basis_.scalar_type());
    const torch::Tensor y = empty_like(in, type);
    kernels::LqForward forward{.x = tensor::input(in.tensor),
                               .y = tensor::output(y),
                               .size = x.numel(),
                               .groups = in.groups,
                               .level_count = static_cast<int>(tables.levels.size(1)),
                               .tables = tables.pointers(),
                               .learning = {}};
    if (is_training()) forward.learning = learning(x);
    distributed::Group* group = is_training() ? sharing_group() : nullptr;
    torch::Tensor sums;
    if (group) {
      sums = torch::empty({groups(), static_cast<int64_t>(kernels::lq_sum_numbers(bits_))},
                          torch::dtype(torch::kFloat64).device(x.device()));
      forward.learning.sums = sums.data_ptr<double>();
    }
    const auto stream = tensor::current_stream(x.device());
    kernels::lq_forward(tensor::backend(x.device()), forward, stream);
    if (group) {
      group->sum(sums);
      kernels::lq_learn(tensor::backend(x.device()),
                        {.type = tensor::scalar_type(basis_.scalar_type()),
                         .groups = groups(),
                         .learning = forward.learning},
                        stream);
    }
    return {y, in.tensor, tables.levels, shape().tag, groups()};
  }

  Tables build_tables(torch::Device device, torch::ScalarType type) const {
    const auto here = [&](const torch::Tensor& tensor, torch::ScalarType as) {
      return tensor.detach().to(device, as).contiguous();
    };
    const torch::Tensor basis = here(basis_, type), vectors = here(codec_vector_, type),
                        multiplier = here(multiplier_, type),
                        index = here(codec_index_, torch::kInt32);
    const int64_t levels = vectors.size(0);
    const Tables tables{torch::empty({groups(), levels}, basis.options()),
                        torch::empty({groups(), levels - 1}, basis.options()),
                        torch::empty({groups(), levels}, index.options())};
    kernels::lq_build_tables(tensor::backend(device),
                             {.basis = basis.const_data_ptr(),
                              .codec_vector = vectors.const_data_ptr(),
                              .codec_index = index.const_data_ptr<int32_t>(),
                              .thrs_multiplier = multiplier.const_data_ptr(),
                              .type = tensor::scalar_type(type),
                              .bits = bits_,
                              .level_count = static_cast<int>(levels),
                              .groups = groups(),
                              .tables = tables.pointers()},
                             tensor::current_stream(device));
    return tables;
  }

  kernels::LqLearning learning(const torch::Tensor& x) {
    if (!unsolved_.defined() || unsolved_.device() != x.device())
      unsolved_ = torch::zeros({1}, torch::dtype(torch::kFloat32).device(x.device()));
    return {.bits = bits_,
            .full_range = !options().half_range,
            .weights = is_weight(),
            .basis = basis_.data_ptr(),
            .auxil = auxil_.data_ptr(),
            .iteration = options().custom_update ? iteration().const_data_ptr() : nullptr,
            .unsolved = unsolved_.data_ptr<float>(),
            .workspace = workspace_.get(x)};
  }

  int bits_;
  torch::Tensor basis_, auxil_, codec_vector_, codec_index_, multiplier_;
  torch::Tensor unsolved_;  // [1], not 0 once a group kept its basis; made in the first pass
  Workspace workspace_;
};

}  // namespace

std::shared_ptr<Quantizer> make_lq(const QuantShape& shape, const config::QuantOptions& options) {
  return std::make_shared<Lq>(shape, options);
}

}  // namespace lowbit::quant
