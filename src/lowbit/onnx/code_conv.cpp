// Convolutions of codes. One whose sums become codes at once is a convolution of dequantized
// numbers with a bias, which runtimes make one of integers; any other is what the program says: for
// each pair of planes a convolution of integers, whose sums float32 holds exactly in whatever order
// they are added, times a coefficient.
#include <algorithm>
#include <cmath>
#include <optional>

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
    if (is_image() && (!step_.codes[0]->integers.empty() || step_.codes.size() != 1))
      throw core::failure("ONNX: only a convolution takes the codes of the image");
  }

  Value translate() {
    const std::optional<std::string> one = with_bias();
    return {one ? *one : sums()};
  }

 private:
  bool is_image() const { return step_.input == 0; }

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

  std::vector<float> coefficients(size_t code_plane, size_t weight_plane) const {
    const size_t outs = static_cast<size_t>(out_.channels);
    const auto first = step_.coefficients.begin() +
                       static_cast<int64_t>((code_plane * weights_.size() + weight_plane) * outs);
    return {first, first + out_.channels};
  }

  // Where sums become codes at once, and all of them the right ones. Weights of fewer than 8 bits
  // are for runtimes that convolve in float32.
  std::optional<std::string> with_bias() {
    if (to_.options.weights != Weights::int8 || step_.codes.size() * weights_.size() != 1)
      return std::nullopt;
    const CodePlaneT& plane = *step_.codes[0];
    const std::vector<float> factors = coefficients(0, 0);
    SumUnits units{{factors.begin(), factors.end()},
                   is_image() ? 1 : codes_.unit,
                   largest_of(plane),
                   std::vector<double>(factors.size())};
    std::ranges::copy(step_.bias, units.bias.begin());
    if (is_image()) {
      const std::vector<double> zeros = zero_point_sums(plane, weights_[0]);
      for (size_t o = 0; o < zeros.size(); ++o) units.bias[o] -= units.coefficients[o] * zeros[o];
    }
    const CarriedWeights weights = scaled_bytes(weights_[0], units);
    const auto bias =
        settled_bias(weights_[0], units, weights,
                     only_use_of(to_.model, to_.program, static_cast<int>(to_.values.size())));
    if (!bias) return std::nullopt;
    return convolve({input(plane, codes_.unit), dequantized(to_, weights),
                     to_.graph.floats(*bias, {out_.channels})});
  }

  std::string sums() {
    // Where nothing depends on the image the sums must still be of its batch.
    const bool all =
        std::ranges::all_of(step_.codes, [](const auto& plane) { return is_constant(*plane); });
    std::string sum;
    for (size_t p = 0; p < step_.codes.size(); ++p)
      for (size_t q = 0; q < weights_.size(); ++q) {
        const bool constant = !all && is_constant(*step_.codes[p]);
        const std::string term = constant ? constant_term(p, q) : term_of(p, q);
        sum = sum.empty() ? term : to_.graph.add("Add", {sum, term});
      }
    return to_.add_shift(sum, step_.bias);
  }

  std::string term_of(size_t p, size_t q) {
    const CodePlaneT& plane = *step_.codes[p];
    std::vector<std::string> inputs = {input(plane, 1),
                                       carry_integers(to_, weights_[q], largest_of(plane))};
    if (is_image()) {
      std::vector<float> zeros;
      for (const double sum : zero_point_sums(plane, weights_[q]))
        zeros.push_back(static_cast<float>(-sum));
      inputs.push_back(to_.graph.floats(zeros, {out_.channels}));
    }
    return to_.graph.add("Mul", {convolve(inputs), to_.per_channel(coefficients(p, q))});
  }

  // Of a plane of ones, of which there are fewer near the border.
  std::string constant_term(size_t p, size_t q) {
    const CodePlaneT& plane = *step_.codes[p];
    const std::vector<float> factors = coefficients(p, q);
    const std::vector<double> sums = weight_sums(weights_[q], [&plane](size_t channel) {
      const int c = static_cast<int>(channel) - plane.first_channel;
      return c >= 0 && c < plane.channels ? 1.0 : 0.0;
    });
    const size_t taps = sums.size() / factors.size();
    std::vector<float> map;
    for (size_t o = 0; o < factors.size(); ++o)
      for (const double sum : windows(std::span(sums).subspan(o * taps, taps)))
        map.push_back(static_cast<float>(sum) * factors[o]);
    if (padding_ == 0) return to_.per_channel(map);
    return to_.graph.floats(map, {1, out_.channels, out_.height, out_.width});
  }

  // For each pixel of the result the sum of the taps that lie inside the image; without padding it
  // is the same for all, and there once.
  std::vector<double> windows(std::span<const double> taps) const {
    const int side = step_.window->kernel(), stride = step_.window->stride();
    const int height = padding_ > 0 ? out_.height : 1, width = padding_ > 0 ? out_.width : 1;
    std::vector<double> map(static_cast<size_t>(height) * static_cast<size_t>(width));
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x)
        for (int row = 0; row < side; ++row)
          for (int column = 0; column < side; ++column) {
            const int at_y = y * stride - padding_ + row, at_x = x * stride - padding_ + column;
            if (at_y >= 0 && at_y < in_.height && at_x >= 0 && at_x < in_.width)
              map[static_cast<size_t>(y * width + x)] +=
                  taps[static_cast<size_t>(row * side + column)];
          }
    return map;
  }

  std::string convolve(const std::vector<std::string>& inputs) {
    return to_.graph.add("Conv", inputs,
                         window_attributes(*step_.window, is_image() ? 0 : padding_,
                                           {"group", int64_t{step_.groups}}));
  }

  // What the zero points of the image add to the sums of each output channel.
  std::vector<double> zero_point_sums(const CodePlaneT& plane,
                                      const WeightIntegers& weights) const {
    const std::vector<double> sums = weight_sums(weights, [&plane](size_t channel) {
      return static_cast<double>(plane.zero_points.at(channel));
    });
    std::vector<double> zeros(weights.out());
    for (size_t i = 0; i < sums.size(); ++i) zeros[i / (sums.size() / zeros.size())] += sums[i];
    return zeros;
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

  static int largest_of(const CodePlaneT& plane) {
    int most = plane.integers.empty() ? 255 : 1;
    for (const int8_t integer : plane.integers) most = std::max(most, std::abs(integer));
    return most;
  }

  // The integers of the plane, times the unit, or, of the image, its bytes: [N, C, H, W] float32.
  std::string input(const CodePlaneT& plane, float unit) {
    if (is_image()) return image_bytes(plane);
    const Value codes{codes_.tensor, unit};
    if (plane.integers.empty()) return from_zero_points(plane, codes);
    if (plane.channels == in_.channels) return dequantized_plane(to_, codes, plane.integers);
    Value part = codes;
    const int64_t first = plane.first_channel, last = first + plane.channels;
    part.tensor = to_.graph.add("Slice", {codes.tensor, to_.graph.integers({first}),
                                          to_.graph.integers({last}), to_.graph.integers({1})});
    return to_.graph.add("Pad", {dequantized_plane(to_, part, plane.integers),
                                 to_.graph.integers({0, first, 0, 0, 0, in_.channels - last, 0, 0}),
                                 to_.graph.number(0)});
  }

  std::string from_zero_points(const CodePlaneT& plane, const Value& codes) {
    const std::vector<uint8_t>& zeros = plane.zero_points;
    if (std::ranges::all_of(zeros, [&](uint8_t zero) { return zero == zeros[0]; }))
      return to_.graph.add("DequantizeLinear",
                           {codes.tensor, to_.graph.number(codes.unit), to_.graph.byte(zeros[0])});
    return to_.graph.add(
        "DequantizeLinear",
        {codes.tensor,
         to_.graph.floats(std::vector<float>(zeros.size(), codes.unit), {in_.channels}),
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

  Translation& to_;
  const CodeConvT& step_;
  const Value& codes_;
  const packed::ValueT &in_, &out_;
  const int padding_;
  std::vector<WeightIntegers> weights_;
};

}  // namespace

Value code_conv(Translation& to, const CodeConvT& step) {
  return CodeConv(to, step).translate();
}

}  // namespace lowbit::onnx
