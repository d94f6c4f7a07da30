#include "lowbit/models/layer_statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "lowbit/core/error.h"
#include "lowbit/models/network_size.h"
#include "lowbit/quant/grouped_tensor.h"
#include "lowbit/quant/probe.h"

namespace lowbit::models {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// A step function as a loop over many numbers wants it.
struct Steps {
  const std::vector<float>& thresholds;
  const std::vector<float>& levels;
  float low, high;  // the clip range; infinite where there is none
  float slack = 0;  // that the roundings of the thresholds may have moved its ends by

  explicit Steps(const quant::StepFunction& function)
      : thresholds(function.thresholds),
        levels(function.levels),
        low(-std::numeric_limits<float>::infinity()),
        high(std::numeric_limits<float>::infinity()) {
    const size_t n = thresholds.size();
    if (n < 2) return;
    low = thresholds[0] - (thresholds[1] - thresholds[0]) / 2;
    high = thresholds[n - 1] + (thresholds[n - 1] - thresholds[n - 2]) / 2;
    constexpr float kRounding = 1e-5F;  // of the numbers involved
    slack = kRounding * std::max(std::abs(low), std::abs(high));
  }

  // Branches would be mispredicted: for few levels it is quicker to compare with all thresholds.
  size_t code(float x) const {
    constexpr size_t kFew = 16;
    if (thresholds.size() > kFew)
      return static_cast<size_t>(std::upper_bound(thresholds.begin(), thresholds.end(), x) -
                                 thresholds.begin());
    size_t code = 0;
    for (const float threshold : thresholds) code += x >= threshold ? 1 : 0;
    return code;
  }
};

// Sums over the elements, in double: exact enough in any order, and the order is fixed.
struct Sums {
  double xx = 0, yy = 0, xy = 0, difference = 0;  // of squares and products
  int64_t low = 0, high = 0;                      // elements beyond the clip range

  // `count` elements of one group: x as given, `in` as the codes are chosen for, `factor` on the
  // levels (null: 1).
  void add(const Steps& steps, const float* x, const float* in, const float* factor, int64_t count,
           std::vector<int64_t>& codes) {
    for (int64_t i = 0; i < count; ++i) {
      const size_t code = steps.code(in[i]);
      ++codes[code];
      const double v = x[i];
      const double y = double{steps.levels[code]} * (factor ? factor[i] : 1.0F);
      xx += v * v;
      yy += y * y;
      xy += v * y;
      difference += (v - y) * (v - y);
      low += in[i] < steps.low - steps.slack ? 1 : 0;
      high += in[i] > steps.high + steps.slack ? 1 : 0;
    }
  }
};

void measure_input(const torch::Tensor& x, QuantizerStatistics& result) {
  result.values = x.numel();
  result.input_min = x.min().item<double>();
  result.input_max = x.max().item<double>();
  result.rms = std::sqrt(x.square().mean(torch::kFloat64).item<double>());
}

void measure_clip_values(const quant::Quantizer& quantizer, QuantizerStatistics& result) {
  result.clip_min = result.clip_mean = result.clip_max = kNone;
  const auto parameters = quantizer.named_parameters(/*recurse=*/false);
  const torch::Tensor* learned = parameters.find("clip_val");
  if (!learned) return;
  const torch::Tensor clip = learned->detach().to(torch::kCPU, torch::kFloat64);
  result.clip_min = clip.min().item<double>();
  result.clip_mean = clip.mean().item<double>();
  result.clip_max = clip.max().item<double>();
}

// The mean clip range over the groups, in the units of the input.
void measure_range(const std::vector<Steps>& steps, double factor, QuantizerStatistics& result) {
  double low = 0, high = 0;
  for (const Steps& one : steps) {
    low += one.low;
    high += one.high;
  }
  const double groups = static_cast<double>(steps.size());
  const bool finite = std::isfinite(low) && std::isfinite(high);
  result.range_low = finite ? factor * low / groups : kNone;
  result.range_high = finite ? factor * high / groups : kNone;
}

void measure_result(const quant::Quantizer& quantizer, const torch::Tensor& x,
                    const quant::Lowering& lowering, QuantizerStatistics& result) {
  const bool divides = lowering.factor.defined() && lowering.factor_divides_input;
  const torch::Tensor in = (divides ? x / lowering.factor : x).contiguous();
  const torch::Tensor factor = lowering.factor.defined()
                                   ? lowering.factor.expand_as(x).contiguous().to(torch::kFloat32)
                                   : torch::Tensor();
  std::vector<Steps> steps;
  size_t codes = 0;
  for (const quant::StepFunction& group : lowering.groups) {
    steps.emplace_back(group);
    codes = std::max(codes, group.levels.size());
  }
  result.codes.assign(codes, 0);
  const kernels::Groups groups =
      quant::grouped(x, quantizer.shape().tag, quantizer.groups()).groups;
  Sums sums;
  for (int64_t i = 0; i < x.numel(); i += groups.run)
    sums.add(steps[steps.size() == 1 ? 0 : static_cast<size_t>(groups.of(i))],
             x.const_data_ptr<float>() + i, in.const_data_ptr<float>() + i,
             factor.defined() ? factor.const_data_ptr<float>() + i : nullptr,
             std::min(groups.run, x.numel() - i), result.codes);
  const double count = static_cast<double>(x.numel());
  result.clipped_low = static_cast<double>(sums.low) / count;
  result.clipped_high = static_cast<double>(sums.high) / count;
  result.mse = sums.difference / count;
  const double energy = sums.xx * sums.yy;
  result.relative_error =
      energy > 0 ? std::max(0.0, 1 - sums.xy * sums.xy / energy) : (sums.xx > 0 ? 1 : 0);
  measure_range(steps, divides ? lowering.factor.mean().item<double>() : 1, result);
}

QuantizerStatistics statistics_of(const std::string& layer, const quant::Quantizer& quantizer,
                                  const torch::Tensor& given) {
  QuantizerStatistics result;
  result.layer = layer;
  result.tag = quantizer.shape().tag;
  result.bits = bits_of(&quantizer);
  result.levels = quantizer.level_num().item<int64_t>();
  result.groups = quantizer.groups();
  const torch::Tensor x = given.detach().to(torch::kCPU, torch::kFloat32).contiguous();
  measure_input(x, result);
  measure_clip_values(quantizer, result);
  try {
    measure_result(quantizer, x, quantizer.lower(x), result);
  } catch (const core::Error&) {  // of a network that went wrong, which is what one wants to see
    result.range_low = result.range_high = result.clipped_low = result.clipped_high = kNone;
    result.mse = result.relative_error = kNone;
    result.codes.clear();
  }
  return result;
}

// The quantizers with what a pass may change in them: clip values in the warm-up, for one.
std::vector<std::pair<torch::Tensor, torch::Tensor>> saved_state(const Network& network) {
  std::vector<std::pair<torch::Tensor, torch::Tensor>> saved;
  for (const quant::Quantizer* quantizer : network.quantizers())
    for (const NamedTensor& entry : state_of(*quantizer))
      saved.emplace_back(entry.tensor.detach(), entry.tensor.detach().clone());
  return saved;
}

}  // namespace

int64_t QuantizerStatistics::dead_codes() const {
  return std::ranges::count(codes, 0);
}

const char* tag_name(config::Tag tag) {
  return tag == config::Tag::fm ? "fm" : tag == config::Tag::wt ? "wt" : "ot";
}

std::vector<QuantizerStatistics> layer_statistics(Network& network, const torch::Tensor& images) {
  const torch::NoGradGuard no_grad;
  std::map<const quant::Quantizer*, std::string> layer_of;
  for (nn::QuantLayer* layer : network.quant_layers())
    for (const config::Tag tag : {config::Tag::fm, config::Tag::wt, config::Tag::ot})
      if (layer->quantizer(tag)) layer_of[layer->quantizer(tag).get()] = layer->layer_path();

  std::vector<QuantizerStatistics> result;
  const auto saved = saved_state(network);
  const bool training = network.is_training();
  network.eval();
  {
    const quant::ProbeScope scope([&](const quant::Quantizer& quantizer, const torch::Tensor& x) {
      result.push_back(statistics_of(layer_of[&quantizer], quantizer, x));
    });
    network.probe(images, [](const nn::Layer&, const torch::Tensor&, const torch::Tensor&) {});
  }
  network.train(training);
  for (const auto& [tensor, value] : saved) tensor.copy_(value);
  return result;
}

std::string to_line(const QuantizerStatistics& s) {
  std::string clip;
  if (!std::isnan(s.clip_mean))
    clip = s.groups == 1 ? fmt::format(", clip {:.4g}", s.clip_mean)
                         : fmt::format(", clip {:.4g} ({:.4g} .. {:.4g})", s.clip_mean, s.clip_min,
                                       s.clip_max);
  if (!s.usable())
    return fmt::format("{} {}: {} levels{}, input {:.4g} .. {:.4g}, gives no numbers", s.layer,
                       tag_name(s.tag), s.levels, clip, s.input_min, s.input_max);
  return fmt::format(
      "{} {}: {} levels{}, input {:.4g} .. {:.4g}, clipped {:.2f} %, {} dead codes, error {:.2f} %",
      s.layer, tag_name(s.tag), s.levels, clip, s.input_min, s.input_max,
      100 * (s.clipped_low + s.clipped_high), s.dead_codes(), 100 * s.relative_error);
}

}  // namespace lowbit::models
