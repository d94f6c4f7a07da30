#include "bias.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "rounding.h"

namespace lowbit::onnx {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// One output channel: y = coefficient * sum + bias of integer sums between -largest and largest.
struct Channel {
  double coefficient, bias, largest;

  // As the program computes it.
  bool reaches(double sum, float threshold) const {
    const float product = static_cast<float>(coefficient) * static_cast<float>(sum);
    return product + static_cast<float>(bias) >= threshold;
  }
  // The first sum, in the direction in which y rises, from which on y reaches the threshold; as
  // a number of steps in that direction.
  double first_step(float threshold) const {
    const double sign = coefficient > 0 ? 1 : -1;
    double step = std::ceil((static_cast<double>(threshold) - bias) / std::abs(coefficient));
    while (step > -largest && reaches(sign * (step - 1), threshold)) --step;
    while (step <= largest && !reaches(sign * step, threshold)) ++step;
    return step;
  }
};

// unit: of the fused sum. Nothing if no whole number of units will do.
std::optional<double> settled(const Channel& channel, double unit, const OnlyUse& use,
                              const Rounding& rounding) {
  const double each = std::abs(channel.coefficient) / unit;  // units that a sum's step is
  double low = -kInfinity, high = kInfinity;
  for (size_t k = 1; k <= use.quantize->thresholds.size(); ++k) {
    const float threshold = use.quantize->thresholds[k - 1];
    if (threshold <= use.low || threshold > use.high) continue;
    const double edge = (static_cast<double>(k) - 0.5 - rounding.zero_point) *
                        static_cast<double>(rounding.scale) / unit;
    const double first = channel.first_step(threshold);
    if (first <= channel.largest)
      low = std::max(low, edge - each * std::max(first, -channel.largest));
    if (first > -channel.largest)
      high = std::min(high, edge - each * std::min(first - 1, channel.largest));
  }
  const double own = channel.bias / unit;
  const double middle = low > -kInfinity && high < kInfinity ? (low + high) / 2 : own;
  const double whole = std::round(middle);
  constexpr double kMargin = 1e-3;
  if (!(whole > low + kMargin && whole < high - kMargin)) return std::nullopt;
  return whole * unit;
}

}  // namespace

std::optional<std::vector<float>> settled_bias(const WeightIntegers& weights, const SumUnits& units,
                                               const CarriedWeights& carried, const OnlyUse& use) {
  if (!use.quantize || use.quantize->thresholds.empty()) return std::nullopt;
  const auto rounding = rounding_of(use.quantize->thresholds);
  if (!rounding) return std::nullopt;
  std::vector<float> bias(units.bias.begin(), units.bias.end());
  for (size_t o = 0; o < bias.size(); ++o) {
    if (units.coefficients[o] == 0) continue;
    double largest = 0;
    for (size_t i = 0; i < weights.each(); ++i)
      largest += std::abs(weights.integers[o * weights.each() + i]) * units.largest_input;
    const Channel channel{units.coefficients[o], units.bias[o], largest};
    // In float32, as runtimes multiply the two scales.
    const double unit = static_cast<double>(units.input_unit * carried.scales[o]);
    const std::optional<double> whole = settled(channel, unit, use, *rounding);
    if (!whole) return std::nullopt;
    bias[o] = static_cast<float>(*whole);
  }
  return bias;
}

}  // namespace lowbit::onnx
