#include <algorithm>
#include <cmath>

#include "lowbit/deploy/byte_weights.h"
#include "lowbit/deploy/conv_call.h"
#include "lowbit/deploy/numbers.h"
#include "lowbit/deploy/operations.h"
#include "lowbit/runtime/bits.h"

namespace lowbit::deploy {
namespace {

// A byte u of the image's channel is u * byte_unit(c) + byte_shift(c) to the network.
double byte_unit(const LowerOptions& options, size_t c) {
  return 1 / (255 * options.std[c]);
}
double byte_shift(const LowerOptions& options, size_t c) {
  return -options.mean[c] / options.std[c];
}

// The bytes of the image, whose grid follows from how it is normalized.
ByteGrid image_grid(const LowerOptions& options) {
  ByteGrid grid;
  for (size_t c = 0; c < 3; ++c) {
    const double unit = byte_unit(options, c), shift = byte_shift(options, c);
    const double zero_point = std::clamp(std::round(-shift / unit), 0.0, 255.0);
    grid.zero_points.push_back(static_cast<uint8_t>(zero_point));
    grid.unit.push_back(unit);
    grid.zero.push_back(shift + unit * zero_point);
  }
  return grid;
}

// x, of one unit and zero point for all channels, as a value of codes.
int quantized_bytes(Builder& to, ValueId x, const ByteGrid& grid) {
  packed::QuantizeT quantize;
  quantize.input = to.real(x);
  quantize.groups = 1;
  for (int code = 1; code < kByteLevels; ++code)
    quantize.thresholds.push_back(
        static_cast<float>((code - 0.5 - grid.zero_points[0]) * grid.unit[0]));
  return to.emit(std::move(quantize), x, packed::Kind::code, kByteLevels);
}

// The image's layer is small, and what it loses is lost to all others.
int weight_bits(Ends ends, bool of_image) {
  return ends == Ends::int4 && !of_image ? 4 : 8;
}

// Integers in the program's order; of fewer than 8 bits they stand beside their codes.
std::unique_ptr<packed::WeightPlaneT> plane_of(const torch::Tensor& integers, int bits) {
  const auto* first = integers.const_data_ptr<int8_t>();
  auto plane = std::make_unique<packed::WeightPlaneT>();
  plane->bits = static_cast<uint8_t>(bits);
  if (bits == 8) {
    plane->data.assign(first, first + integers.numel());
    return plane;
  }
  const int most = largest_integer(bits);
  for (int integer = -most; integer <= most; ++integer)
    plane->integers.push_back(static_cast<int8_t>(integer));
  std::vector<uint8_t> codes;
  std::transform(first, first + integers.numel(), std::back_inserter(codes),
                 [most](int8_t integer) { return static_cast<uint8_t>(integer + most); });
  plane->data = runtime::pack_bits(codes, bits);
  return plane;
}

}  // namespace

int normalized_image(Builder& to) {
  packed::NormalizeT normalize;
  normalize.mean.assign(to.options().mean.begin(), to.options().mean.end());
  normalize.std.assign(to.options().std.begin(), to.options().std.end());
  return to.emit(std::move(normalize), to.graph().input);
}

int byte_conv(Builder& to, const ConvCall& call) {
  const bool of_image = to.is_image(call.input);
  const torch::Tensor& input = to.numbers(call.input);
  const ByteGrid grid = of_image ? image_grid(to.options()) : grid_over(input);
  const int bits = weight_bits(to.options().ends, of_image);
  const ByteWeights weights =
      byte_weights(call.weight, static_cast<int>(call.groups), static_cast<int>(call.stride),
                   static_cast<int>(call.padding), input, grid, bits);
  packed::CodeConvT conv;
  conv.input = of_image ? 0 : quantized_bytes(to, call.input, grid);
  conv.window = window(call.kernel(), call.stride, call.padding);
  conv.groups = static_cast<int>(call.groups);
  auto plane = std::make_unique<packed::CodePlaneT>();
  plane->zero_points = grid.zero_points;
  plane->channels = static_cast<int>(to.dims(call.input)[0]);
  conv.codes.push_back(std::move(plane));
  conv.weights.push_back(plane_of(in_program_order(weights.codes), bits));
  for (size_t o = 0; o < weights.scale.size(); ++o)
    conv.coefficients.push_back(static_cast<float>(weights.scale[o] * call.folded(o)));
  const bool centered = std::ranges::all_of(weights.shift, [](double x) { return x == 0; });
  conv.bias = call.bias_with(centered ? std::vector<double>() : weights.shift);
  return to.emit(std::move(conv), call.output);
}

int real_conv(Builder& to, const ConvCall& call) {
  packed::RealConvT conv;
  conv.input = to.real(call.input);
  conv.window = window(call.kernel(), call.stride, call.padding);
  conv.groups = static_cast<int>(call.groups);
  conv.weight = numbers_of<float>(in_program_order(call.quantized_weight));
  if (call.bias.defined()) conv.bias = numbers_of<float>(call.bias);
  const int value = to.emit(std::move(conv), call.output);
  return call.fold ? scaled_and_shifted(to, value, *call.fold, call.output) : value;
}

}  // namespace lowbit::deploy
