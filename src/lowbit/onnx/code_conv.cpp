// Convolutions of codes: each pair of planes is a convolution of dequantized integers.
#include <algorithm>
#include <cmath>

#include "bias.h"
#include "consumers.h"
#include "lowbit/core/error.h"
#include "lowbit/runtime/weights.h"
#include "translation.h"
#include "weights.h"

namespace lowbit::onnx {
namespace {

using packed::CodeConvT;
using packed::CodePlaneT;

class CodeConv {
 public:
  CodeConv(Translation& to, const CodeConvT& step)
      : to_(to),
        step_(step),
        codes_(to.value(step.input)),
        in_(to.shape(step.input)),
        out_(to.result()),
        padding_(step.window->padding()) {
    for (const packed::WeightPlane* plane : *to.step().operation_as_CodeConv()->weights())
      weights_.push_back(integers_of(*plane));
    bias_.assign(static_cast<size_t>(out_.channels), 0);
    std::copy(step.bias.begin(), step.bias.end(), bias_.begin());
    has_bias_ = !step.bias.empty();
  }

  Value translate() {
    const auto constant = [](const auto& plane) { return is_constant(*plane); };
    // Where nothing depends on the image the sums must still be of its batch.
    const bool all = std::ranges::all_of(step_.codes, constant);
    // Constants first, as they belong to the bias.
    for (size_t p = 0; p < step_.codes.size(); ++p)
      if (!all && constant(step_.codes[p])) add_constant(p);
    for (size_t p = 0; p < step_.codes.size(); ++p)
      if (all || !constant(step_.codes[p])) add_plane(p);
    return {with_rest(sum_)};
  }

 private:
  static bool is_constant(const CodePlaneT& plane) {
    return !plane.integers.empty() &&
           std::ranges::all_of(plane.integers, [](int8_t integer) { return integer == 1; });
  }

  WeightIntegers integers_of(const packed::WeightPlane& plane) const {
    const int64_t side = step_.window->kernel(), inside = in_.channels / step_.groups;
    const Shape shape = {out_.channels, inside, side, side};
    const auto count = static_cast<size_t>(out_.channels * inside * side * side);
    return {channels_first(runtime::integers_of(plane, count), shape), shape};
  }

  std::vector<double> coefficients(size_t code_plane, size_t weight_plane) const {
    const size_t outs = static_cast<size_t>(out_.channels);
    const auto first = step_.coefficients.begin() +
                       static_cast<int64_t>((code_plane * weights_.size() + weight_plane) * outs);
    return {first, first + out_.channels};
  }

  // Sums of the weights of (output channel, tap) over the input channels that `factor` knows.
  std::vector<double> weight_sums(const WeightIntegers& weights, const auto& factor) const {
    const auto taps = static_cast<size_t>(weights.shape[2] * weights.shape[3]);
    const auto ins = static_cast<size_t>(weights.shape[1]);
    const size_t outs_of_group = weights.out() / static_cast<size_t>(step_.groups);
    std::vector<double> sums(weights.out() * taps);
    for (size_t o = 0; o < weights.out(); ++o)
      for (size_t i = 0; i < ins; ++i)
        for (size_t tap = 0; tap < taps; ++tap)
          sums[o * taps + tap] +=
              weights.integers[(o * ins + i) * taps + tap] * factor(o / outs_of_group * ins + i);
    return sums;
  }

  // A plane of ones: near the border there are fewer of them.
  void add_constant(size_t p) {
    const CodePlaneT& plane = *step_.codes[p];
    const auto inside = [&plane](size_t channel) {
      const int c = static_cast<int>(channel) - plane.first_channel;
      return c >= 0 && c < plane.channels ? 1.0 : 0.0;
    };
    for (size_t q = 0; q < weights_.size(); ++q) {
      const std::vector<double> units = coefficients(p, q);
      const std::vector<double> sums = weight_sums(weights_[q], inside);
      const size_t taps = sums.size() / units.size();
      if (padding_ > 0) map_.resize(units.size() * pixels());
      for (size_t o = 0; o < units.size(); ++o) {
        const std::span<const double> own = std::span(sums).subspan(o * taps, taps);
        if (padding_ > 0)
          add_windows(std::span(map_).subspan(o * pixels(), pixels()), own, units[o]);
        else
          for (const double sum : own) bias_[o] += units[o] * sum;
      }
    }
    has_bias_ = true;
  }

  size_t pixels() const {
    return static_cast<size_t>(out_.height) * static_cast<size_t>(out_.width);
  }

  // To each pixel of the result the sum of the taps that lie inside the image.
  void add_windows(std::span<double> map, std::span<const double> taps, double unit) const {
    const int side = step_.window->kernel(), stride = step_.window->stride();
    for (int y = 0; y < out_.height; ++y)
      for (int x = 0; x < out_.width; ++x)
        for (int row = 0; row < side; ++row)
          for (int column = 0; column < side; ++column) {
            const int at_y = y * stride - padding_ + row, at_x = x * stride - padding_ + column;
            if (at_y >= 0 && at_y < in_.height && at_x >= 0 && at_x < in_.width)
              map[static_cast<size_t>(y * out_.width + x)] +=
                  unit * taps[static_cast<size_t>(row * side + column)];
          }
  }

  void add_plane(size_t p) {
    const CodePlaneT& plane = *step_.codes[p];
    const bool is_image = step_.input == 0;
    if (is_image && (!plane.integers.empty() || step_.codes.size() != 1))
      throw core::failure("ONNX: only a convolution takes the codes of the image");
    const std::string x = is_image ? image_bytes(plane) : plane_tensor(plane);
    for (size_t q = 0; q < weights_.size(); ++q) {
      SumUnits units{coefficients(p, q), is_image ? 1 : codes_.unit, largest_of(plane), {}};
      if (is_image) take_off_zero_points(plane, units.coefficients, weights_[q]);
      if (has_bias_ && map_.empty()) units.bias = bias_;
      const CarriedWeights weights = carry(to_, weights_[q], units);
      std::vector<std::string> inputs = {x, weights.tensor};
      // With narrow weights the bias stands apart: a runtime that would make an integer convolution
      // of weights which its own does not take (ONNX Runtime 1.32 with 2 bits) sees none then.
      if (!weights.is_narrow && has_bias_ && map_.empty()) {
        if (step_.codes.size() * weights_.size() == 1)
          bias_ = settled_bias(
              weights_[q], units, weights,
              only_use_of(to_.model, to_.program, static_cast<int>(to_.values.size())));
        inputs.push_back(take_bias({-1}));
      }
      std::string term = to_.graph.add("Conv", inputs,
                                       window_attributes(*step_.window, is_image ? 0 : padding_,
                                                         {"group", int64_t{step_.groups}}));
      if (weights.is_narrow && map_.empty() && (has_bias_ || to_.options.weights == Weights::int2))
        term = to_.graph.add("Add", {term, take_bias({-1, 1, 1})});
      sum_ = sum_.empty() ? term : to_.graph.add("Add", {sum_, term});
    }
  }

  static int largest_of(const CodePlaneT& plane) {
    int most = plane.integers.empty() ? 255 : 1;
    for (const int8_t integer : plane.integers) most = std::max(most, std::abs(integer));
    return most;
  }

  // The integers of the plane, times the unit of the codes: [N, C, H, W] float32.
  std::string plane_tensor(const CodePlaneT& plane) {
    if (plane.integers.empty()) return from_zero_points(plane);
    if (plane.channels == in_.channels) return dequantized_plane(to_, codes_, plane.integers);
    Value part = codes_;
    const int64_t first = plane.first_channel, last = first + plane.channels;
    part.tensor = to_.graph.add("Slice", {codes_.tensor, to_.graph.integers({first}),
                                          to_.graph.integers({last}), to_.graph.integers({1})});
    return to_.graph.add("Pad", {dequantized_plane(to_, part, plane.integers),
                                 to_.graph.integers({0, first, 0, 0, 0, in_.channels - last, 0, 0}),
                                 to_.graph.number(0)});
  }

  std::string from_zero_points(const CodePlaneT& plane) {
    const std::vector<uint8_t>& zeros = plane.zero_points;
    if (std::ranges::all_of(zeros, [&](uint8_t zero) { return zero == zeros[0]; }))
      return to_.graph.add("DequantizeLinear", {codes_.tensor, to_.graph.number(codes_.unit),
                                                to_.graph.byte(zeros[0])});
    return to_.graph.add(
        "DequantizeLinear",
        {codes_.tensor,
         to_.graph.floats(std::vector<float>(zeros.size(), codes_.unit), {in_.channels}),
         to_.graph.bytes(zeros, {in_.channels})},
        {{"axis", int64_t{1}}});
  }

  // The bytes that the normalized image was made of, with the padding around them: 8 bits have no
  // room for their distances from the zero points of three channels, so these are taken off behind
  // the sums. Zeros of the normalized image are padded, which then become the zero points: the
  // shift is near enough to these, and a quarter at most away from where a byte would be rounded to
  // another.
  std::string image_bytes(const CodePlaneT& plane) {
    std::vector<float> factor, shift;
    for (size_t c = 0; c < plane.zero_points.size(); ++c) {
      const double byte = 255 * to_.options.mean[c], zero = plane.zero_points[c];
      if (std::abs(byte - zero) > 0.5 + 1e-6)
        throw core::failure("ONNX: a mean of {} lies outside of the image's 0..1",
                            to_.options.mean[c]);
      factor.push_back(static_cast<float>(255 * to_.options.std[c]));
      shift.push_back(static_cast<float>(zero + std::clamp(byte - zero, -0.25, 0.25)));
    }
    std::string x = codes_.tensor;
    if (padding_ > 0)
      x = to_.graph.add(
          "Pad", {x, to_.graph.integers({0, 0, padding_, padding_, 0, 0, padding_, padding_}),
                  to_.graph.number(0)});
    x = to_.graph.add("Mul", {x, to_.per_channel(factor)});
    x = to_.graph.add("Add", {x, to_.per_channel(shift)});
    const std::string one = to_.graph.number(1), zero = to_.graph.byte(0);
    x = to_.graph.add("QuantizeLinear", {x, one, zero});
    return to_.graph.add("DequantizeLinear", {x, one, zero});
  }

  void take_off_zero_points(const CodePlaneT& plane, const std::vector<double>& units,
                            const WeightIntegers& weights) {
    const std::vector<double> sums = weight_sums(weights, [&plane](size_t channel) {
      return static_cast<double>(plane.zero_points.at(channel));
    });
    const size_t taps = sums.size() / units.size();
    for (size_t i = 0; i < sums.size(); ++i) bias_[i / taps] -= units[i / taps] * sums[i];
    has_bias_ = true;
  }

  // The bias as a tensor (a side of -1: its length), which is then done with.
  std::string take_bias(Shape shape) {
    std::ranges::replace(shape, -1, int64_t{out_.channels});
    const std::string tensor =
        to_.graph.floats(std::vector<float>(bias_.begin(), bias_.end()), shape);
    std::ranges::fill(bias_, 0.0);
    has_bias_ = false;
    return tensor;
  }

  // Adds the map of the constant planes, and a bias that no convolution took.
  std::string with_rest(const std::string& sum) {
    if (map_.empty() && !has_bias_) return sum;
    std::vector<float> all;
    for (size_t o = 0; o < bias_.size(); ++o)
      for (size_t pixel = 0; pixel < pixels(); ++pixel)
        all.push_back(
            static_cast<float>(bias_[o] + (map_.empty() ? 0 : map_[o * pixels() + pixel])));
    const std::string map = to_.graph.floats(all, {1, out_.channels, out_.height, out_.width});
    return to_.graph.add("Add", {sum, map});
  }

  Translation& to_;
  const CodeConvT& step_;
  const Value& codes_;
  const packed::ValueT &in_, &out_;
  const int padding_;
  std::vector<WeightIntegers> weights_;
  std::vector<double> bias_;  // [out]
  bool has_bias_ = false;
  std::vector<double> map_;  // [out][row][column], where a constant plane meets a padding
  std::string sum_;
};

}  // namespace

Value code_conv(Translation& to, const CodeConvT& step) {
  return CodeConv(to, step).translate();
}

}  // namespace lowbit::onnx
