#include <algorithm>
#include <cmath>
#include <optional>

#include "rounding.h"
#include "translation.h"

namespace lowbit::onnx {
namespace {

constexpr int64_t kByteLevels = 256;

std::string cast(Translation& to, const std::string& x, proto::TensorProto::DataType type) {
  return to.graph.add("Cast", {x}, {{"to", int64_t{type}}});
}

// Each of a number of groups, repeated for the channels of the group.
template <class Number>
std::vector<Number> spread(const std::vector<Number>& groups, int channels) {
  std::vector<Number> spread;
  for (const Number number : groups)
    spread.insert(spread.end(), static_cast<size_t>(channels) / groups.size(), number);
  return spread;
}

// The thresholds of each group as a rounding; nothing unless all of them are one.
std::vector<Rounding> roundings_of(const packed::QuantizeT& step) {
  const size_t each = step.thresholds.size() / static_cast<size_t>(step.groups);
  std::vector<Rounding> all;
  for (size_t group = 0; each > 0 && group < static_cast<size_t>(step.groups); ++group) {
    const auto one = rounding_of(std::span(step.thresholds).subspan(group * each, each));
    if (!one) return {};
    all.push_back(*one);
  }
  return all;
}

Value quantize_linear(Translation& to, const packed::QuantizeT& step,
                      const std::vector<Rounding>& roundings) {
  std::vector<float> scales;
  std::vector<uint8_t> zeros;
  for (const Rounding& rounding : roundings) {
    scales.push_back(rounding.scale);
    zeros.push_back(static_cast<uint8_t>(rounding.zero_point));
  }
  const std::string& x = to.value(step.input).tensor;
  const int channels = to.result().channels;
  const bool one = roundings.size() == 1;
  std::string codes =
      one ? to.graph.add("QuantizeLinear", {x, to.graph.number(scales[0]), to.graph.byte(zeros[0])})
          : to.graph.add("QuantizeLinear",
                         {x, to.graph.floats(spread(scales, channels), {channels}),
                          to.graph.bytes(spread(zeros, channels), {channels})},
                         {{"axis", int64_t{1}}});
  const int levels = to.result().levels;
  if (levels < kByteLevels)
    codes = to.graph.add(
        "Clip", {codes, to.graph.byte(0), to.graph.byte(static_cast<uint8_t>(levels - 1))});
  return {codes, one ? scales[0] : 1};
}

// The number of thresholds that are <= x, counted.
Value count_thresholds(Translation& to, const packed::QuantizeT& step) {
  const std::string& x = to.value(step.input).tensor;
  const size_t groups = static_cast<size_t>(step.groups), each = step.thresholds.size() / groups;
  std::vector<std::string> reached;
  for (size_t k = 0; k < std::max<size_t>(each, 1); ++k) {
    std::vector<float> thresholds;
    for (size_t group = 0; group < groups; ++group)
      thresholds.push_back(each == 0 ? INFINITY : step.thresholds[group * each + k]);
    const std::string threshold =
        to.per_channel(groups == 1 ? thresholds : spread(thresholds, to.result().channels));
    reached.push_back(
        cast(to, to.graph.add("GreaterOrEqual", {x, threshold}), proto::TensorProto::FLOAT));
  }
  const std::string count = reached.size() == 1 ? reached[0] : to.graph.add("Sum", reached);
  return {cast(to, count, proto::TensorProto::UINT8), 1};
}

// integers[code] = factor * (code - zero_point)
struct Affine {
  int factor = 1, zero_point = 0;
};
std::optional<Affine> affine_of(const std::vector<int8_t>& integers) {
  const int first = integers[0], factor = integers.size() > 1 ? integers[1] - first : 1;
  if (factor < 1 || first > 0 || first % factor != 0) return std::nullopt;
  for (size_t code = 0; code < integers.size(); ++code)
    if (integers[code] != first + factor * static_cast<int>(code)) return std::nullopt;
  return Affine{factor, -first / factor};
}

std::string dequantize_linear(Translation& to, const std::string& codes, float scale,
                              int zero_point) {
  return to.graph.add("DequantizeLinear", {codes, to.graph.number(scale),
                                           to.graph.byte(static_cast<uint8_t>(zero_point))});
}

// Levels as scale * (code - zero_point), each within a rounding or two.
std::optional<Rounding> line_of(const std::vector<float>& levels) {
  if (levels.size() < 2) return std::nullopt;
  const double first = levels.front(), last = levels.back();
  const double scale = (last - first) / static_cast<double>(levels.size() - 1);
  const double zero_point = std::round(-first / scale);
  if (!(scale > 0) || !(zero_point >= 0 && zero_point <= 255)) return std::nullopt;
  constexpr double kTolerance = 0x1p-22;
  for (size_t code = 0; code < levels.size(); ++code)
    if (!(std::abs(scale * (static_cast<double>(code) - zero_point) -
                   static_cast<double>(levels[code])) <= kTolerance * std::max(-first, last)))
      return std::nullopt;
  return Rounding{static_cast<float>(scale), static_cast<int>(zero_point)};
}

}  // namespace

Value quantize(Translation& to, const packed::QuantizeT& step) {
  const std::vector<Rounding> roundings = roundings_of(step);
  return roundings.empty() ? count_thresholds(to, step) : quantize_linear(to, step, roundings);
}

Value dequantize(Translation& to, const packed::DequantizeT& step) {
  const std::string& codes = to.value(step.input).tensor;
  if (step.groups == 1)
    if (const auto line = line_of(step.levels))
      return {dequantize_linear(to, codes, line->scale, line->zero_point)};
  std::string places = cast(to, codes, proto::TensorProto::INT32);
  if (step.groups > 1) {
    const int channels = to.result().channels;
    const auto each = static_cast<int32_t>(step.levels.size()) / step.groups;
    std::vector<int32_t> firsts;
    for (int c = 0; c < channels; ++c) firsts.push_back(c / (channels / step.groups) * each);
    std::string raw(reinterpret_cast<const char*>(firsts.data()), firsts.size() * sizeof(int32_t));
    places = to.graph.add(
        "Add", {places, to.graph.tensor(proto::TensorProto::INT32, {channels, 1, 1}, raw)});
  }
  const std::string levels =
      to.graph.floats(step.levels, {static_cast<int64_t>(step.levels.size())});
  return {to.graph.add("Gather", {levels, places})};
}

std::string dequantized_plane(Translation& to, const Value& codes,
                              const std::vector<int8_t>& plane) {
  if (const auto affine = affine_of(plane))
    return dequantize_linear(to, codes.tensor, codes.unit * static_cast<float>(affine->factor),
                             affine->zero_point);
  // Still 8 bits: another byte for each code.
  const int zero_point = std::max(0, -*std::ranges::min_element(plane));
  std::vector<uint8_t> table;
  for (const int8_t integer : plane) table.push_back(static_cast<uint8_t>(integer + zero_point));
  const std::string places = cast(to, codes.tensor, proto::TensorProto::INT32);
  const std::string mapped =
      to.graph.add("Gather", {to.graph.bytes(table, {static_cast<int64_t>(table.size())}), places});
  return dequantize_linear(to, mapped, codes.unit, zero_point);
}

}  // namespace lowbit::onnx
