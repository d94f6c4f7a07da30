#include "lowbit/models/layer_statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "lowbit/core/error.h"
#include "lowbit/exec/compute.h"
#include "lowbit/models/evaluation.h"
#include "lowbit/models/network_size.h"
#include "lowbit/quant/grouped_tensor.h"
#include "lowbit/tensor/host_copy.h"

namespace lowbit::models {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// Values of an input that are looked at: enough to judge by. Of activations, that many or those of
// one image.
constexpr int64_t kSample = 65536;

// A sum, or what else is gathered, as eight side by side: the compiler makes vectors of them, which
// it may not with a single one, and the order in which they are added is the same everywhere.
constexpr int64_t kLanes = 8;
template <class T>
using Lanes = std::array<T, kLanes>;

double total(const Lanes<double>& lanes) {
  return std::accumulate(lanes.begin(), lanes.end(), 0.0);
}

// Calls each(i, lane) for i = 0 .. count - 1.
void for_each_in_lanes(int64_t count, const auto& each) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int64_t lane = 0; lane < kLanes; ++lane) each(i + lane, lane);
  for (int64_t lane = 0; i + lane < count; ++lane) each(i + lane, lane);
}

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

  // The codes of `count` numbers, and how often each occurs, added to `counts`. For few levels it
  // is quicker to compare with all thresholds: a search's branches would be mispredicted.
  void find(const float* x, int64_t count, int32_t* codes, std::vector<int64_t>& counts) const {
    constexpr size_t kFew = 16;
    if (thresholds.size() > kFew) {
      for (int64_t i = 0; i < count; ++i) {
        const auto above = std::upper_bound(thresholds.begin(), thresholds.end(), x[i]);
        codes[i] = static_cast<int32_t>(above - thresholds.begin());
        ++counts[static_cast<size_t>(codes[i])];
      }
      return;
    }
    std::fill_n(codes, count, 0);
    counts[0] += count;
    for (size_t k = 0; k < thresholds.size(); ++k) {
      const float threshold = thresholds[k];
      int32_t above = 0;
      for (int64_t i = 0; i < count; ++i) {
        const int32_t is_above = x[i] >= threshold ? 1 : 0;
        codes[i] += is_above;
        above += is_above;
      }
      counts[k] -= above;
      counts[k + 1] += above;
    }
  }
};

// Sums over the elements of an input and its result.
struct Sums {
  Lanes<double> yy{}, xy{}, difference{};  // of squares and products
  int64_t low = 0, high = 0;               // elements beyond the clip range

  // `count` elements of one group: x as given, `in` as the codes are chosen for, `factor` on the
  // levels (null: 1).
  void add(const Steps& steps, const float* x, const float* in, const float* factor, int64_t count,
           std::vector<int64_t>& codes) {
    constexpr int64_t kBlock = 512;
    for (int64_t i = 0; i < count; i += kBlock)
      add_block<kBlock>(steps, x + i, in + i, factor ? factor + i : nullptr,
                        std::min(kBlock, count - i), codes);
  }

 private:
  template <int64_t most>
  void add_block(const Steps& steps, const float* x, const float* in, const float* factor,
                 int64_t count, std::vector<int64_t>& counts) {
    std::array<int32_t, most> codes;
    std::array<double, most> y;
    steps.find(in, count, codes.data(), counts);
    const auto at = [](int64_t i) { return static_cast<size_t>(i); };
    for (int64_t i = 0; i < count; ++i) y[at(i)] = steps.levels[at(codes[at(i)])];
    if (factor)
      for (int64_t i = 0; i < count; ++i) y[at(i)] *= factor[i];
    for_each_in_lanes(count, [&](int64_t i, int64_t lane) {
      const double from = x[i], to = y[at(i)];
      yy[at(lane)] += to * to;
      xy[at(lane)] += from * to;
      difference[at(lane)] += (from - to) * (from - to);
    });
    const float lowest = steps.low - steps.slack, highest = steps.high + steps.slack;
    int32_t below = 0, above = 0;
    for (int64_t i = 0; i < count; ++i) {
      below += in[i] < lowest ? 1 : 0;
      above += in[i] > highest ? 1 : 0;
    }
    low += below;
    high += above;
  }
};

// The sum of the squares of x (row-major float32).
double measure_input(const torch::Tensor& x, QuantizerStatistics& result) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float* values = x.const_data_ptr<float>();
  Lanes<double> squares{};
  Lanes<float> least, most;
  least.fill(kInfinity);
  most.fill(-kInfinity);
  for_each_in_lanes(x.numel(), [&](int64_t i, int64_t lane) {
    const auto at = static_cast<size_t>(lane);
    const double v = values[i];
    squares[at] += v * v;
    least[at] = std::min(least[at], values[i]);
    most[at] = std::max(most[at], values[i]);
  });
  const double energy = total(squares);
  result.values = x.numel();
  // A value that is no number is not less than any other: the sum shows it.
  result.input_min = std::isnan(energy) ? kNone : *std::ranges::min_element(least);
  result.input_max = std::isnan(energy) ? kNone : *std::ranges::max_element(most);
  result.rms = std::sqrt(energy / static_cast<double>(x.numel()));
  return energy;
}

// clip: learned clip values; undefined: there are none.
void measure_clip_values(const torch::Tensor& clip, QuantizerStatistics& result) {
  result.clip_min = result.clip_mean = result.clip_max = kNone;
  if (!clip.defined()) return;
  const torch::Tensor precise = clip.to(torch::kFloat64);
  result.clip_min = precise.min().item<double>();
  result.clip_mean = precise.mean().item<double>();
  result.clip_max = precise.max().item<double>();
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

// energy: the sum of the squares of x.
void measure_result(const quant::Quantizer& quantizer, const torch::Tensor& x, double energy,
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
  result.mse = total(sums.difference) / count;
  const double both = energy * total(sums.yy), xy = total(sums.xy);
  result.relative_error = both > 0 ? std::max(0.0, 1 - xy * xy / both) : (energy > 0 ? 1 : 0);
  measure_range(steps, divides ? lowering.factor.mean().item<double>() : 1, result);
}

// A quantizer with what a pass has given it, and what of it the device holds: all on the host.
struct Observed {
  std::string layer;
  const quant::Quantizer* quantizer;
  torch::Tensor x;          // row-major float32
  torch::Tensor level_num;  // [1]
  torch::Tensor clip;       // learned clip values; undefined: there are none
};

QuantizerStatistics statistics_of(const Observed& observed) {
  const quant::Quantizer& quantizer = *observed.quantizer;
  QuantizerStatistics result;
  result.layer = observed.layer;
  result.tag = quantizer.shape().tag;
  result.levels = observed.level_num.item<int64_t>();
  result.bits = bits_of_levels(result.levels);
  result.groups = quantizer.groups();
  const double energy = measure_input(observed.x, result);
  measure_clip_values(observed.clip, result);
  try {
    measure_result(quantizer, observed.x, energy, quantizer.lower(observed.x), result);
  } catch (const core::Error&) {  // of a network that went wrong, which is what one wants to see
    result.range_low = result.range_high = result.clipped_low = result.clipped_high = kNone;
    result.mse = result.relative_error = kNone;
    result.codes.clear();
  }
  return result;
}

// A copy of the part of x that is looked at, row-major float32, where x is. Weights are looked at
// as a whole: their groups lie one behind the other.
torch::Tensor sample_of(const quant::Quantizer& quantizer, const torch::Tensor& x) {
  torch::Tensor part = x.detach();
  if (quantizer.shape().tag != config::Tag::wt) {
    const int64_t images = x.size(0), values = std::max<int64_t>(x.numel() / images, 1);
    part = part.narrow(0, 0, std::clamp<int64_t>(kSample / values, 1, images));
  }
  return torch::empty(part.sizes(), torch::dtype(torch::kFloat32).device(x.device())).copy_(part);
}

// In the order of the graph's nodes.
std::vector<Observed> observe(Network& network, const torch::Tensor& images) {
  std::map<const graph::Node*, Observed> observed;
  const Evaluation evaluation(network);
  network.probe(images, exec::Arithmetic::floats,
                [&](const graph::Node& node, const torch::Tensor& x, const torch::Tensor&) {
                  const auto* op = std::get_if<graph::Quantize>(&node.operation);
                  if (!op) return;
                  const std::string& name = network.graph().name_of(node);
                  const quant::Quantizer* quantizer = network.quantizer(name);
                  observed[&node] = {name.substr(0, name.rfind('.')),
                                     quantizer,
                                     sample_of(*quantizer, exec::quantizer_input(*op, x)),
                                     {},
                                     {}};
                });
  std::vector<Observed> result;
  for (auto& [node, each] : observed) result.push_back(std::move(each));
  return result;
}

// Brings it all to the host at once.
void fetch(std::vector<Observed>& observed) {
  std::vector<torch::Tensor> tensors;
  std::vector<torch::Tensor*> places;
  const auto add = [&](const torch::Tensor& tensor, torch::Tensor& place) {
    tensors.push_back(tensor);
    places.push_back(&place);
  };
  for (Observed& each : observed) {
    add(each.x, each.x);
    add(each.quantizer->level_num(), each.level_num);
    const auto parameters = each.quantizer->named_parameters(/*recurse=*/false);
    if (const torch::Tensor* clip = parameters.find("clip_val")) add(*clip, each.clip);
  }
  const std::vector<torch::Tensor> on_host = tensor::to_host(tensors);
  for (size_t i = 0; i < places.size(); ++i) *places[i] = on_host[i];
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
  if (network.quantizers().empty()) return {};
  std::vector<Observed> observed = observe(network, images);
  fetch(observed);
  std::vector<QuantizerStatistics> result;
  for (const Observed& each : observed) result.push_back(statistics_of(each));
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
