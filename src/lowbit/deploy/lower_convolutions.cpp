#include <algorithm>

#include "lowbit/deploy/conv_call.h"
#include "lowbit/deploy/level_planes.h"
#include "lowbit/deploy/numbers.h"
#include "lowbit/deploy/operations.h"
#include "lowbit/models/network_size.h"
#include "lowbit/runtime/bits.h"

namespace lowbit::deploy {
namespace {

// A factor that is one number for the image may as well be applied to the sums.
bool factor_can_follow(const Builder& to, const ConvCall& call) {
  const quant::Lowering& x = *call.input_quantizer;
  if (!x.factor.defined()) return true;
  const graph::Dims& dims = to.dims(call.input);
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    const auto in_batch = static_cast<int64_t>(axis) + 1;
    if (dims[axis] != 1 && !std::ranges::count(x.factor_mean_dims, in_batch)) return false;
  }
  return true;
}

// Whether each group of weights is a number of whole output channels.
bool groups_are_channels(const ConvCall& call) {
  const quant::Lowering& w = *call.weight_quantizer;
  return call.out() % static_cast<int64_t>(w.groups.size()) == 0 && !w.factor.defined();
}

float of_channel(const std::vector<float>& numbers, size_t channel) {
  return numbers.size() == 1 ? numbers[0] : numbers[channel];
}

// The scale of each plane added.
std::vector<double> add_code_planes(packed::CodeConvT& conv, const Codes& codes, int channels) {
  std::vector<double> scales;
  const int group_channels = channels / static_cast<int>(codes.groups.size());
  for (const LevelPlane& plane : level_planes(codes.grid, codes.groups.size()))
    for (size_t group = 0; group < codes.groups.size(); ++group) {
      auto part = std::make_unique<packed::CodePlaneT>();
      for (const int code : codes.groups[group].codes)
        part->integers.push_back(plane.integers[static_cast<size_t>(code)]);
      part->first_channel = static_cast<int>(group) * group_channels;
      part->channels = group_channels;
      conv.codes.push_back(std::move(part));
      scales.push_back(plane.scales[group]);
    }
  return scales;
}

// Only as many codes as there are different integers.
std::unique_ptr<packed::WeightPlaneT> weight_plane(const LevelPlane& plane,
                                                   const std::vector<uint8_t>& codes) {
  auto part = std::make_unique<packed::WeightPlaneT>();
  if (plane.is_constant()) return part;
  std::vector<int8_t> integers = plane.integers;
  std::ranges::sort(integers);
  integers.erase(std::unique(integers.begin(), integers.end()), integers.end());
  std::vector<uint8_t> places;
  places.reserve(codes.size());
  for (const uint8_t code : codes)
    places.push_back(static_cast<uint8_t>(std::ranges::lower_bound(integers, plane.integers[code]) -
                                          integers.begin()));
  part->bits = static_cast<uint8_t>(models::bits_of_levels(static_cast<int64_t>(integers.size())));
  part->data = runtime::pack_bits(places, part->bits);
  part->integers = std::move(integers);
  return part;
}

// The scales by group of each plane added.
std::vector<std::vector<double>> add_weight_planes(packed::CodeConvT& conv, const ConvCall& call) {
  const std::vector<quant::StepFunction> groups = with_equal_levels(call.weight_quantizer->groups);
  const torch::Tensor master = in_program_order(call.weight.to(torch::kFloat32));
  const float* x = master.const_data_ptr<float>();
  const size_t count = static_cast<size_t>(master.numel()), per_group = count / groups.size();
  std::vector<uint8_t> weight_codes(count);
  for (size_t i = 0; i < count; ++i)
    weight_codes[i] = static_cast<uint8_t>(groups[i / per_group].code(x[i]));
  std::vector<std::vector<double>> scales;
  for (const LevelPlane& plane : level_planes(call.weight_quantizer->grid, groups.size())) {
    conv.weights.push_back(weight_plane(plane, weight_codes));
    scales.push_back(plane.scales);
  }
  return scales;
}

int convolved(Builder& to, const ConvCall& call) {
  const bool x = call.input_quantizer, w = call.weight_quantizer;
  if (x && w && factor_can_follow(to, call) && groups_are_channels(call))
    return code_conv(to, call);
  if (!x && !w && to.options().ends != Ends::float32) return byte_conv(to, call);
  return real_conv(to, call);
}

// The part that convolutions and linear layers share.
ConvCall conv_call(const Builder& to, const Node& node) {
  const ValueId weight = node.inputs[1];
  ConvCall call;
  call.input = node.inputs[0];
  call.output = node.output;
  if (node.inputs.size() > 2) call.bias = to.numbers(node.inputs[2]);
  if (to.quantizer_of(call.input)) call.input_quantizer = &to.quantizer(call.input);
  const Node* quantizer = to.quantizer_of(weight);
  if (quantizer) call.weight_quantizer = &to.quantizer(weight);
  const auto as_kernels = [&](ValueId id) {
    const torch::Tensor& numbers = to.numbers(id);
    return numbers.dim() == 2 ? numbers.unsqueeze(2).unsqueeze(3) : numbers;
  };
  call.quantized_weight = as_kernels(weight);
  call.weight = quantizer ? as_kernels(quantizer->inputs[0]) : call.quantized_weight;
  return call;
}

// With the factor and the shift of a norm, where they follow.
int with_what_follows(Builder& to, ConvCall call) {
  const auto scaled = to.constant_behind(call.output, graph::Arithmetic::multiply);
  const auto shifted =
      scaled ? to.constant_behind(scaled->node->output, graph::Arithmetic::add) : std::nullopt;
  if (!shifted) return convolved(to, call);
  call.fold = {scaled->numbers, shifted->numbers};
  const int value = convolved(to, call);
  to.add_as(*scaled->node, value);
  to.add_as(*shifted->node, value);
  return value;
}

}  // namespace

double ConvCall::folded(size_t channel) const {
  return fold ? of_channel(fold->factor, channel) : 1;
}

int scaled_and_shifted(Builder& to, int value, const Fold& fold, ValueId like) {
  packed::AffineT affine;
  affine.input = value;
  affine.factor = fold.factor;
  affine.shift = fold.shift;
  return to.emit(std::move(affine), like);
}

torch::Tensor in_program_order(const torch::Tensor& weight) {
  return weight.detach().permute({0, 2, 3, 1}).contiguous();
}

std::vector<float> ConvCall::bias_with(const std::vector<double>& more) const {
  if (!bias.defined() && !fold && more.empty()) return {};
  std::vector<float> all;
  const std::vector<float> own = bias.defined() ? numbers_of<float>(bias) : std::vector<float>();
  for (size_t i = 0; i < static_cast<size_t>(out()); ++i) {
    double value = (own.empty() ? 0 : own[i]) + (more.empty() ? 0 : more[i]);
    if (fold) value = value * folded(i) + of_channel(fold->shift, i);
    all.push_back(static_cast<float>(value));
  }
  return all;
}

int code_conv(Builder& to, const ConvCall& call) {
  const Codes& codes = to.codes(call.input);
  // A factor is applied between the sums and what follows.
  const bool separate = codes.factor >= 0;
  packed::CodeConvT conv;
  conv.input = codes.value;
  conv.window = window(call.kernel(), call.stride, call.padding);
  conv.groups = static_cast<int>(call.groups);
  const auto x_scales = add_code_planes(conv, codes, static_cast<int>(to.dims(call.input)[0]));
  const auto w_scales = add_weight_planes(conv, call);
  for (const double x_scale : x_scales)
    for (const std::vector<double>& scales : w_scales)
      for (size_t o = 0; o < static_cast<size_t>(call.out()); ++o)
        conv.coefficients.push_back(static_cast<float>(
            x_scale * scales[o * scales.size() / static_cast<size_t>(call.out())] *
            (separate ? 1 : call.folded(o))));
  if (!separate) {
    conv.bias = call.bias_with();
    return to.emit(std::move(conv), call.output);
  }
  int value = to.emit(std::move(conv), call.output);
  value = to.emit(binary_of(value, codes.factor, packed::Arithmetic::multiply), call.output);
  if (!call.fold && !call.bias.defined()) return value;
  packed::AffineT affine;
  affine.input = value;
  if (call.fold) affine.factor = call.fold->factor;
  affine.shift = call.bias_with();
  return to.emit(std::move(affine), call.output);
}

int lowered(Builder& to, const Node& node, const graph::Convolution& op) {
  ConvCall call = conv_call(to, node);
  const graph::Size2 kernel(call.weight.size(2), call.weight.size(3));
  if (kernel != graph::Size2(kernel.height)) to.refuse(node, "its kernel is not square");
  if (op.stride != graph::Size2(op.stride.height)) to.refuse(node, "two strides");
  if (op.padding != graph::Padding(op.padding.top)) to.refuse(node, "sides padded unequally");
  if (op.dilation != graph::Size2(1) && kernel != graph::Size2(1)) to.refuse(node, "a dilation");
  call.stride = op.stride.height;
  call.padding = op.padding.top;
  call.groups = op.groups;
  return with_what_follows(to, std::move(call));
}

int lowered(Builder& to, const Node& node, const graph::Linear&) {
  if (to.dims(node.inputs[0]).size() != 1) to.refuse(node, "its input is not a vector");
  return with_what_follows(to, conv_call(to, node));
}

}  // namespace lowbit::deploy
