#include <algorithm>

#include "lowbit/deploy/conv_call.h"
#include "lowbit/deploy/level_planes.h"
#include "lowbit/deploy/numbers.h"
#include "lowbit/deploy/operations.h"
#include "lowbit/models/network_size.h"
#include "lowbit/runtime/bits.h"

namespace lowbit::deploy {
namespace {

// A 1x1 convolution that leaves out pixels may be written as a slice before it.
torch::Tensor before_slices(const Trace& trace, torch::Tensor x, int& stride) {
  for (const Node* node = trace.producer(x); node && node->op == "aten::slice";
       node = trace.producer(x)) {
    const int64_t dim = node->inputs[1].toInt();
    const int64_t step = node->inputs[4].toInt();
    if (dim == 2) stride *= static_cast<int>(step);
    if (dim < 2 && step != 1) return x;
    x = node->inputs[0].toTensor();
  }
  return x;
}

// The quantizer whose result the tensor is; null: none.
const Node* quantizer_of(const Trace& trace, const torch::Tensor& tensor) {
  const Node* node = trace.producer(tensor);
  return node && node->quantizer ? node : nullptr;
}

ConvCall conv_call(const Builder& to, const Node& node) {
  ConvCall call;
  call.input = node.inputs[0].toTensor();
  call.quantized_weight = node.inputs[1].toTensor();
  if (node.inputs[2].isTensor()) call.bias = node.inputs[2].toTensor();
  if (node.op == "aten::conv2d") {
    call.stride = static_cast<int>(first(node.inputs[3]));
    call.padding = static_cast<int>(first(node.inputs[4]));
    call.groups = static_cast<int>(node.inputs[6].toInt());
    if (first(node.inputs[5]) != 1) to.refuse(node, "a dilation");
    if (call.quantized_weight.size(2) == 1 && call.padding == 0)
      call.input = before_slices(to.trace(), call.input, call.stride);
  }
  call.input_quantizer = quantizer_of(to.trace(), call.input);
  call.weight_quantizer = quantizer_of(to.trace(), call.quantized_weight);
  call.weight =
      call.weight_quantizer ? call.weight_quantizer->inputs[0].toTensor() : call.quantized_weight;
  for (torch::Tensor* weight : {&call.weight, &call.quantized_weight})
    if (weight->dim() == 2) *weight = weight->unsqueeze(2).unsqueeze(3);
  call.output = node.output;
  return call;
}

// A factor that is one number for the image may as well be applied to the sums.
bool factor_can_follow(const Node& x) {
  const torch::Tensor& factor = x.lowering.factor;
  return !factor.defined() || factor.numel() == factor.size(0);
}

// Whether each group of weights is a number of whole output channels.
bool groups_are_channels(const ConvCall& call, const Node& w) {
  return call.out() % static_cast<int>(w.lowering.groups.size()) == 0 &&
         !w.lowering.factor.defined();
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
  const std::vector<quant::StepFunction> groups =
      with_equal_levels(call.weight_quantizer->lowering.groups);
  const torch::Tensor master = in_program_order(call.weight.to(torch::kFloat32));
  const float* x = master.const_data_ptr<float>();
  const size_t count = static_cast<size_t>(master.numel()), per_group = count / groups.size();
  std::vector<uint8_t> weight_codes(count);
  for (size_t i = 0; i < count; ++i)
    weight_codes[i] = static_cast<uint8_t>(groups[i / per_group].code(x[i]));
  std::vector<std::vector<double>> scales;
  for (const LevelPlane& plane :
       level_planes(call.weight_quantizer->lowering.grid, groups.size())) {
    conv.weights.push_back(weight_plane(plane, weight_codes));
    scales.push_back(plane.scales);
  }
  return scales;
}

int lowered(Builder& to, const ConvCall& call) {
  const Node *x = call.input_quantizer, *w = call.weight_quantizer;
  if (x && w && factor_can_follow(*x) && groups_are_channels(call, *w)) return code_conv(to, call);
  if (!x && !w && to.options().ends != Ends::float32) return byte_conv(to, call);
  return real_conv(to, call);
}

bool is_convolution(const Node& node) {
  return node.op == "aten::conv2d" || node.op == "aten::linear";
}

Fold fold_of(const Node& node) {
  const int64_t channels = node.output.size(1);
  const auto parameter = [&](size_t i, float otherwise) {
    return node.inputs[i].isTensor() && node.inputs[i].toTensor().defined()
               ? node.inputs[i].toTensor().detach().to(torch::kFloat32)
               : torch::full({channels}, otherwise, torch::kFloat32);
  };
  const torch::Tensor factor = (parameter(4, 1) + number(node, 7)).rsqrt() * parameter(1, 1);
  // With one rounding, as LibTorch's kernel is compiled.
  const torch::Tensor shift = parameter(2, 0).to(torch::kFloat64) -
                              parameter(3, 0).to(torch::kFloat64) * factor.to(torch::kFloat64);
  return {numbers_of<double>(factor), numbers_of<double>(shift.to(torch::kFloat32))};
}

}  // namespace

int scaled_and_shifted(Builder& to, int value, const Fold& fold, const torch::Tensor& like) {
  packed::AffineT affine;
  affine.input = value;
  affine.factor.assign(fold.factor.begin(), fold.factor.end());
  affine.shift.assign(fold.shift.begin(), fold.shift.end());
  return to.emit(std::move(affine), like);
}

torch::Tensor in_program_order(const torch::Tensor& weight) {
  return weight.detach().permute({0, 2, 3, 1}).contiguous();
}

std::vector<float> ConvCall::bias_with(const std::vector<double>& more) const {
  if (!bias.defined() && !fold && more.empty()) return {};
  std::vector<float> all;
  const std::vector<float> own = bias.defined() ? numbers_of<float>(bias) : std::vector<float>();
  for (int o = 0; o < out(); ++o) {
    const auto i = static_cast<size_t>(o);
    double value = (own.empty() ? 0 : own[i]) + (more.empty() ? 0 : more[i]);
    if (fold) value = value * fold->factor[i] + fold->shift[i];
    all.push_back(static_cast<float>(value));
  }
  return all;
}

int code_conv(Builder& to, const ConvCall& call) {
  const Codes codes = to.codes(*call.input_quantizer);
  // A factor is applied between the sums and what follows.
  const bool separate = codes.factor >= 0;
  packed::CodeConvT conv;
  conv.input = codes.value;
  conv.window = window(call.kernel(), call.stride, call.padding);
  conv.groups = call.groups;
  const auto x_scales = add_code_planes(conv, codes, static_cast<int>(call.input.size(1)));
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
  if (call.fold) affine.factor.assign(call.fold->factor.begin(), call.fold->factor.end());
  affine.shift = call.bias_with();
  return to.emit(std::move(affine), call.output);
}

std::optional<int> convolution(Builder& to, const Node& node) {
  if (!is_convolution(node)) return std::nullopt;
  return lowered(to, conv_call(to, node));
}

std::optional<int> batch_norm(Builder& to, const Node& node) {
  if (node.op != "aten::batch_norm") return std::nullopt;
  const torch::Tensor x = node.inputs[0].toTensor();
  Fold fold = fold_of(node);
  const Node* before = to.trace().producer(x);
  if (before && before->op == "aten::conv2d" && to.trace().uses(x) == 1) {
    ConvCall call = conv_call(to, *before);
    call.fold = std::move(fold);
    return lowered(to, call);
  }
  return scaled_and_shifted(to, to.real(x), fold, node.output);
}

}  // namespace lowbit::deploy
