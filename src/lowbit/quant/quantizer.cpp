#include "lowbit/quant/quantizer.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <optional>

#include "lowbit/core/error.h"
#include "lowbit/quant/factory.h"
#include "lowbit/quant/weight_groups.h"

namespace lowbit::quant {

Quantizer::Quantizer(const QuantShape& shape, const config::QuantOptions& options)
    : shape_(shape), options_(options), groups_(shape.groups(options.quant_group)) {
  // Parameters, though never trained: checkpoints list them before clip_val, ahead of any buffer.
  const auto untrained = [this](const char* name, double value) {
    return register_parameter(name, torch::full({1}, value, torch::kFloat32),
                              /*requires_grad=*/false);
  };
  iteration_ = untrained("iteration", 0);
  level_num_ = untrained("level_num", options.levels());
}

bool Quantizer::is_fixed_function() const {
  const bool warming = options_.stable > 0 && warms_up();
  return maps_by_fixed_function() && !warming && !options_.proxquant && !options_.loss_enable;
}

std::optional<Quantizer::FeatureForm> Quantizer::feature_form() const {
  const bool warming = options_.stable > 0 && warms_up();
  if (shape_.tag == config::Tag::wt || groups_ != 1 || warming || options_.proxquant ||
      options_.loss_enable)
    return std::nullopt;
  const auto formula = feature_formula();
  if (!formula) return std::nullopt;
  return FeatureForm{*formula, clip_value(), level_num_};
}

Grid Quantizer::grid(const torch::Tensor& y) const {
  const bool warming = options_.stable > 0 && warms_up();
  const bool restores =
      options_.adaptive == config::Adaptive::var_mean && options_.adaptive_restore;
  return is_training() || warming || restores ? Grid() : grid_of(y);
}

torch::Tensor Quantizer::forward(const torch::Tensor& x, torch::ScalarType type) {
  // What is warmed up, mixed or compared with its levels is the normalized weight.
  std::optional<WeightNormalization> normalization;
  if (shape_.tag == config::Tag::wt && options_.method != config::Method::lq)
    normalization.emplace(x, *this);
  const torch::Tensor in = normalization ? normalization->normalize(x) : x;
  torch::Tensor y = options_.stable > 0 && warms_up() ? warm_up(in, type) : quantize(in, type);
  if (options_.proxquant && is_training()) {
    if (!proxquant_.defined() || proxquant_.device() != x.device())
      proxquant_ = torch::full({1}, proxquant_value_, x.options().dtype(torch::kFloat64));
    const torch::Tensor p = proxquant_.to(type);
    y = in.to(type) * p + y * (1 - p);
  }
  loss_ = is_training() ? loss_of(in, y) : torch::Tensor();
  if (normalization) y = normalization->restore(y);
  return y;
}

// While iteration <= stable the result is x, and a learned clip value becomes the mean over the
// iterations of max|x|. Both are decided on the device: the pass may be captured. A mean of 0
// becomes the smallest number above: nothing could be divided by 0, and the gradient of the branch
// that is not taken would be NaN.
torch::Tensor Quantizer::warm_up(const torch::Tensor& x, torch::ScalarType type) {
  const torch::Tensor warming = iteration_ <= options_.stable;
  if (torch::Tensor clip = clip_value(); clip.defined()) {
    const torch::NoGradGuard no_grad;
    torch::Tensor largest = x.abs().max().to(clip.scalar_type());
    if (distributed::Group* group = sharing_group()) group->largest(largest);
    if (options_.correlate > 0) largest = largest * options_.correlate;
    const torch::Tensor mean = (largest + (iteration_ - 1) * clip) / iteration_;
    const torch::Tensor usable =
        mean.masked_fill(mean == 0, double{std::numeric_limits<float>::min()});
    clip.copy_(torch::where(warming, usable, clip));
  }
  return torch::where(warming, x.to(type), quantize(x, type));
}

torch::Tensor Quantizer::loss_of(const torch::Tensor& x, const torch::Tensor& y) const {
  if (!options_.loss_enable) return {};
  const torch::ScalarType type = iteration_.scalar_type();
  const torch::Tensor a = x.to(type), b = y.to(type);
  torch::Tensor loss;
  if (options_.loss_function == config::QuantLoss::l1) {
    loss = torch::l1_loss(a, b);
  } else if (options_.loss_function == config::QuantLoss::l2) {
    loss = torch::mse_loss(a, b);
  } else {
    // Where all of y is 0 there is no ratio: then the loss is 0, and so is its gradient.
    torch::Tensor products = torch::stack({(b * b).sum(), (a * b).sum()});
    if (sharing_group()) products = distributed::sum_over_processes(products);
    const torch::Tensor yy = products[0], none = yy == 0;
    const torch::Tensor ratio = products[1] / yy.masked_fill(none, 1);
    loss = (ratio - 1).abs().masked_fill(none, 0);
  }
  return options_.loss_alpha * loss;
}

void Quantizer::set_loss(config::QuantLoss loss, double alpha) {
  options_.loss_enable = true;
  options_.loss_function = loss;
  options_.loss_alpha = alpha;
}

void Quantizer::set_proxquant(double p) {
  proxquant_value_ = p;
  if (proxquant_.defined()) proxquant_.fill_(p);
}

torch::Tensor Quantizer::set_level_num(int levels) {
  constexpr int kMostLevels = 256;
  const torch::NoGradGuard no_grad;
  const int old = static_cast<int>(level_num_.item<double>());
  const int wanted = levels < 0 ? old + levels : levels;
  if (wanted < fewest_levels() || wanted > kMostLevels)
    throw core::usage_error("{} levels are out of range ({}..{})", wanted, fewest_levels(),
                            kMostLevels);
  torch::Tensor clip = clip_value();
  if (clip.defined()) clip.mul_((wanted - 1.0) / (old - 1.0));
  level_num_.fill_(wanted);
  options_.level = wanted;
  return clip;
}

std::string Quantizer::follow_options(bool clip_loaded) {
  const torch::NoGradGuard no_grad;
  const int wanted = options_.levels();
  const double had = level_num_.item<double>();
  const bool other_tables = restore_tables();
  if (had == wanted) return other_tables ? "other tables (half range, scale)" : "";
  torch::Tensor clip = clip_value();
  if (clip_loaded && clip.defined() && had > 1 && std::isfinite(had))
    clip.mul_((wanted - 1.0) / (had - 1.0));
  level_num_.fill_(wanted);
  return fmt::format("{:g} levels, not {}", had, wanted);
}

std::vector<torch::Tensor> Quantizer::inherit(const Quantizer& old) {
  const torch::NoGradGuard no_grad;
  const std::shared_ptr<Quantizer> start = make_quantizer(old.shape(), old.options());
  std::vector<torch::Tensor> started;
  const auto take = [&started](const auto& mine, const auto& theirs, const auto& begun) {
    for (const auto& item : mine) {
      torch::Tensor tensor = item.value();
      const torch::Tensor* learned = theirs.find(item.key());
      const torch::Tensor* began = begun.find(item.key());
      if (learned && began && tensor.sizes() == began->sizes() &&
          torch::equal(tensor.detach().to(began->options()), *began))
        tensor.copy_(*learned);
      else
        started.push_back(tensor);
    }
  };
  take(named_parameters(), old.named_parameters(), start->named_parameters());
  take(named_buffers(), old.named_buffers(), start->named_buffers());
  set_proxquant(old.proxquant());
  return started;
}

distributed::Group* Quantizer::sharing_group() const {
  return shape_.tag == config::Tag::wt ? nullptr : distributed::GroupScope::current();
}

std::vector<int64_t> Quantizer::per_group_shape(int64_t groups) const {
  if (shape_.tag == config::Tag::wt) return {groups, 1, 1, 1};
  if (groups == 1) return {1};
  return {1, groups, 1, 1};
}

}  // namespace lowbit::quant
