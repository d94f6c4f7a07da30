#include "lowbit/deploy/lower.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "lowbit/core/error.h"
#include "lowbit/deploy/byte_weights.h"
#include "lowbit/deploy/level_planes.h"
#include "lowbit/deploy/numbers.h"
#include "lowbit/models/network_size.h"
#include "lowbit/runtime/bits.h"

namespace lowbit::deploy {
namespace {

using packed::Kind;
using Numbers = std::vector<float>;

constexpr int kByteLevels = 256;

// A convolution or a linear layer, as both are one to the program.
struct ConvCall {
  torch::Tensor input, weight, bias;  // weight [O, I / groups, k, k]; bias undefined: none
  torch::Tensor quantized_weight;     // what the pass used: the quantizer's result, or `weight`
  // The quantizers that gave input and quantized_weight; null: none.
  const Node *input_quantizer = nullptr, *weight_quantizer = nullptr;
  int stride = 1, padding = 0, groups = 1;

  int out() const { return static_cast<int>(weight.size(0)); }
  int kernel() const { return static_cast<int>(weight.size(2)); }
};

// factor * y + shift of the norm behind a convolution, per channel.
struct Fold {
  std::vector<double> factor, shift;
};

// A quantized activation in the program.
struct Codes {
  int value = 0;
  std::vector<quant::StepFunction> groups;
  int factor = -1;  // a real value to multiply with what is computed from it; -1: none
};

std::vector<std::vector<float>> levels_of(const std::vector<quant::StepFunction>& groups) {
  std::vector<std::vector<float>> levels;
  for (const quant::StepFunction& group : groups) levels.push_back(group.levels);
  return levels;
}

// [O, I, k, k] in the order of the program: [O][row][column][I].
torch::Tensor in_program_order(const torch::Tensor& weight) {
  return weight.detach().permute({0, 2, 3, 1}).contiguous();
}

class Lowerer {
 public:
  Lowerer(const Trace& trace, const LowerOptions& options) : trace_(trace), options_(options) {
    model_.version = 1;
    model_.network = options.network;
    model_.classes = options.classes;
    model_.preprocessing = std::make_unique<packed::PreprocessingT>();
    model_.preprocessing->resize = options.resize;
    add_value(Kind::code, trace.input(), kByteLevels, "image");
  }

  packed::ModelT lower() {
    real(trace_.output());
    return std::move(model_);
  }

 private:
  using Key = const c10::TensorImpl*;

  [[noreturn]] void refuse(const Node& node, const std::string& why) const {
    const std::string layer = trace_.layer_of(node.output);
    throw core::failure("the packed format has no '{}'{}: {}", node.op,
                        layer.empty() ? "" : " of layer '" + layer + "'", why);
  }

  // Height, width and channels of a tensor of the pass.
  static std::array<int, 3> shape_of(const torch::Tensor& tensor) {
    const auto side = [&](int64_t dim) {
      return dim < tensor.dim() ? static_cast<int>(tensor.size(dim)) : 1;
    };
    return {side(2), side(3), side(1)};
  }

  void add_value(Kind kind, const torch::Tensor& like, int levels, const std::string& name) {
    const auto [height, width, channels] = shape_of(like);
    auto value = std::make_unique<packed::ValueT>();
    value->kind = kind;
    value->height = height;
    value->width = width;
    value->channels = channels;
    value->levels = levels;
    value->name = name;
    model_.values.push_back(std::move(value));
  }

  // The number of the value that the operation gives, which looks like `like`.
  template <class Operation>
  int emit(Operation operation, const torch::Tensor& like, Kind kind = Kind::real, int levels = 0) {
    auto step = std::make_unique<packed::StepT>();
    step->operation.Set(std::move(operation));
    model_.steps.push_back(std::move(step));
    add_value(kind, like, levels, trace_.layer_of(like));
    return static_cast<int>(model_.steps.size());
  }

  // A parameter of the operation that must be a plain number.
  double number(const Node& node, size_t input) const {
    const c10::IValue& value = node.inputs.at(input);
    if (value.isNone()) return 0;
    if (value.isTensor()) return value.toTensor().item<double>();
    return value.toScalar().toDouble();
  }
  static int64_t first(const c10::IValue& value) {
    return value.isInt() ? value.toInt() : value.toIntVector().at(0);
  }

  // The tensor as a real value of the program.
  int real(const torch::Tensor& tensor) {
    const Key key = tensor.unsafeGetTensorImpl();
    if (const auto found = reals_.find(key); found != reals_.end()) return found->second;
    const int value = make_real(tensor);
    reals_[key] = value;
    return value;
  }

  int make_real(const torch::Tensor& tensor) {
    if (tensor.is_same(trace_.input())) return normalized_image();
    const Node* node = trace_.producer(tensor);
    if (!node)
      throw core::failure("a tensor of the network is neither computed nor an operand of a layer");
    if (node->quantizer) return dequantized(*node);
    if (node->op == "aten::batch_norm") return batch_norm(*node);
    if (node->op == "aten::conv2d" || node->op == "aten::linear") return convolution(*node, {});
    if (node->op == "aten::avg_pool2d" || node->op == "aten::max_pool2d") return pool(*node);
    if (node->op == "aten::mean") return mean(*node);
    if (const auto arithmetic = arithmetic_of(node->op)) return binary(*node, *arithmetic);
    if (const auto function = activation(*node)) return *function;
    if (const auto layout = rearranged(*node)) return *layout;
    refuse(*node, "no step of a program does this");
  }

  // A byte u of the image's channel is u * byte_unit(c) + byte_shift(c) to the network.
  double byte_unit(size_t c) const { return 1 / (255 * options_.std[c]); }
  double byte_shift(size_t c) const { return -options_.mean[c] / options_.std[c]; }

  int normalized_image() {
    packed::NormalizeT normalize;
    for (size_t c = 0; c < 3; ++c) {
      normalize.factor.push_back(static_cast<float>(byte_unit(c)));
      normalize.shift.push_back(static_cast<float>(byte_shift(c)));
    }
    return emit(std::move(normalize), trace_.input());
  }

  // ---- quantizers ----

  const Codes& codes(const Node& node) {
    const Key key = node.output.unsafeGetTensorImpl();
    if (const auto found = codes_.find(key); found != codes_.end()) return found->second;
    const torch::Tensor x = node.inputs[0].toTensor();
    Codes codes;
    codes.groups = with_equal_levels(node.lowering.groups);
    int input = real(x);
    if (node.lowering.factor.defined()) {
      codes.factor = factor(node, x, input);
      if (node.lowering.factor_divides_input)
        input = emit(binary_of(input, codes.factor, packed::Arithmetic::divide), x);
    }
    packed::QuantizeT quantize;
    quantize.input = input;
    quantize.groups = static_cast<int>(codes.groups.size());
    for (const quant::StepFunction& group : codes.groups)
      quantize.thresholds.insert(quantize.thresholds.end(), group.thresholds.begin(),
                                 group.thresholds.end());
    codes.value =
        emit(std::move(quantize), x, Kind::code, static_cast<int>(codes.groups[0].levels.size()));
    name_value(codes.value, node);
    return codes_.emplace(key, std::move(codes)).first->second;
  }

  int factor(const Node& node, const torch::Tensor& x, int input) {
    if (node.lowering.factor_mean_dims.empty()) return real(node.lowering.factor);
    packed::ActivationT absolute;
    absolute.input = input;
    absolute.function = packed::Function::absolute;
    packed::MeanT mean;
    mean.input = emit(std::move(absolute), x);
    for (const int64_t dim : node.lowering.factor_mean_dims)
      (dim == 1 ? mean.over_channels : mean.over_pixels) = true;
    return emit(std::move(mean), node.lowering.factor);
  }

  // Codes are named by the layer whose input they are.
  void name_value(int value, const Node& node) {
    const char* side = node.quantizer->shape().tag == config::Tag::ot ? "output" : "input";
    model_.values[static_cast<size_t>(value)]->name =
        fmt::format("{} {}", trace_.layer_of(*node.quantizer), side);
  }

  int dequantized(const Node& node) {
    const Codes codes = this->codes(node);
    packed::DequantizeT dequantize;
    dequantize.input = codes.value;
    dequantize.groups = static_cast<int>(codes.groups.size());
    for (const quant::StepFunction& group : codes.groups)
      dequantize.levels.insert(dequantize.levels.end(), group.levels.begin(), group.levels.end());
    const int value = emit(std::move(dequantize), node.output);
    if (codes.factor < 0) return value;
    return emit(binary_of(value, codes.factor, packed::Arithmetic::multiply), node.output);
  }

  // ---- convolutions ----

  // A 1x1 convolution that leaves out pixels may be written as a slice before it.
  static torch::Tensor before_slices(const Trace& trace, torch::Tensor x, int& stride) {
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
  const Node* quantizer_of(const torch::Tensor& tensor) const {
    const Node* node = trace_.producer(tensor);
    return node && node->quantizer ? node : nullptr;
  }

  ConvCall conv_call(const Node& node) const {
    ConvCall call;
    call.input = node.inputs[0].toTensor();
    call.quantized_weight = node.inputs[1].toTensor();
    if (node.inputs[2].isTensor()) call.bias = node.inputs[2].toTensor();
    if (node.op == "aten::conv2d") {
      call.stride = static_cast<int>(first(node.inputs[3]));
      call.padding = static_cast<int>(first(node.inputs[4]));
      call.groups = static_cast<int>(node.inputs[6].toInt());
      if (first(node.inputs[5]) != 1) refuse(node, "a dilation");
      if (call.quantized_weight.size(2) == 1 && call.padding == 0)
        call.input = before_slices(trace_, call.input, call.stride);
    }
    call.input_quantizer = quantizer_of(call.input);
    call.weight_quantizer = quantizer_of(call.quantized_weight);
    call.weight =
        call.weight_quantizer ? call.weight_quantizer->inputs[0].toTensor() : call.quantized_weight;
    if (call.weight.dim() == 2) call.weight = call.weight.unsqueeze(2).unsqueeze(3);
    return call;
  }

  static std::unique_ptr<packed::Window> window(int kernel, int stride, int padding) {
    return std::make_unique<packed::Window>(kernel, stride, padding);
  }

  int convolution(const Node& node, const std::optional<Fold>& fold) {
    const ConvCall call = conv_call(node);
    const torch::Tensor& like = node.output;
    const Node *x = call.input_quantizer, *w = call.weight_quantizer;
    if (x && w && factor_can_follow(*x) && groups_are_channels(call, *w))
      return code_conv(call, fold, like);
    if (!x && !w && options_.ends == Ends::int8) return byte_conv(call, fold, like);
    return real_conv(call, fold, like);
  }

  // A factor that is one number for the image may as well be applied to the sums.
  static bool factor_can_follow(const Node& x) {
    const torch::Tensor& factor = x.lowering.factor;
    return !factor.defined() || factor.numel() == factor.size(0);
  }

  // Whether each group of weights is a number of whole output channels.
  static bool groups_are_channels(const ConvCall& call, const Node& w) {
    return call.out() % static_cast<int>(w.lowering.groups.size()) == 0 &&
           !w.lowering.factor.defined();
  }

  std::vector<float> bias_of(const ConvCall& call, const std::optional<Fold>& fold,
                             const std::vector<double>& more = {}) const {
    if (!call.bias.defined() && !fold && more.empty()) return {};
    std::vector<float> bias;
    const Numbers own = call.bias.defined() ? numbers_of<float>(call.bias) : Numbers();
    for (int o = 0; o < call.out(); ++o) {
      const auto i = static_cast<size_t>(o);
      double value = (own.empty() ? 0 : own[i]) + (more.empty() ? 0 : more[i]);
      if (fold) value = value * fold->factor[i] + fold->shift[i];
      bias.push_back(static_cast<float>(value));
    }
    return bias;
  }

  static double folded(const std::optional<Fold>& fold, size_t channel) {
    return fold ? fold->factor[channel] : 1;
  }

  int code_conv(const ConvCall& call, const std::optional<Fold>& fold, const torch::Tensor& like) {
    const Codes codes = this->codes(*call.input_quantizer);
    // A factor is applied between the sums and what follows.
    const bool separate = codes.factor >= 0;
    const std::optional<Fold> inside = separate ? std::nullopt : fold;
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
              folded(inside, o)));
    if (!separate) {
      conv.bias = bias_of(call, inside);
      return emit(std::move(conv), like);
    }
    int value = emit(std::move(conv), like);
    value = emit(binary_of(value, codes.factor, packed::Arithmetic::multiply), like);
    if (!fold && !call.bias.defined()) return value;
    packed::AffineT affine;
    affine.input = value;
    if (fold) affine.factor.assign(fold->factor.begin(), fold->factor.end());
    affine.shift = bias_of(call, fold);
    return emit(std::move(affine), like);
  }

  // The scale of each plane added.
  static std::vector<double> add_code_planes(packed::CodeConvT& conv, const Codes& codes,
                                             int channels) {
    std::vector<double> scales;
    const int group_channels = channels / static_cast<int>(codes.groups.size());
    for (const LevelPlane& plane : level_planes(levels_of(codes.groups)))
      for (size_t group = 0; group < codes.groups.size(); ++group) {
        auto part = std::make_unique<packed::CodePlaneT>();
        part->integers = plane.integers;
        part->first_channel = static_cast<int>(group) * group_channels;
        part->channels = group_channels;
        conv.codes.push_back(std::move(part));
        scales.push_back(plane.scales[group]);
      }
    return scales;
  }

  // The scales by group of each plane added.
  static std::vector<std::vector<double>> add_weight_planes(packed::CodeConvT& conv,
                                                            const ConvCall& call) {
    const std::vector<quant::StepFunction> groups =
        with_equal_levels(call.weight_quantizer->lowering.groups);
    const torch::Tensor master = in_program_order(call.weight.to(torch::kFloat32));
    const float* x = master.const_data_ptr<float>();
    const size_t count = static_cast<size_t>(master.numel()), per_group = count / groups.size();
    std::vector<uint8_t> weight_codes(count);
    for (size_t i = 0; i < count; ++i)
      weight_codes[i] = static_cast<uint8_t>(groups[i / per_group].code(x[i]));
    std::vector<std::vector<double>> scales;
    for (const LevelPlane& plane : level_planes(levels_of(groups))) {
      conv.weights.push_back(weight_plane(plane, weight_codes));
      scales.push_back(plane.scales);
    }
    return scales;
  }

  // Only as many codes as there are different integers.
  static std::unique_ptr<packed::WeightPlaneT> weight_plane(const LevelPlane& plane,
                                                            const std::vector<uint8_t>& codes) {
    auto part = std::make_unique<packed::WeightPlaneT>();
    if (plane.is_constant()) return part;
    std::vector<int8_t> integers = plane.integers;
    std::ranges::sort(integers);
    integers.erase(std::unique(integers.begin(), integers.end()), integers.end());
    std::vector<uint8_t> places;
    places.reserve(codes.size());
    for (const uint8_t code : codes)
      places.push_back(static_cast<uint8_t>(
          std::ranges::lower_bound(integers, plane.integers[code]) - integers.begin()));
    part->bits =
        static_cast<uint8_t>(models::bits_of_levels(static_cast<int64_t>(integers.size())));
    part->data = runtime::pack_bits(places, part->bits);
    part->integers = std::move(integers);
    return part;
  }

  // The bytes of the image, whose grid follows from how it is normalized.
  ByteGrid image_grid() const {
    ByteGrid grid;
    for (size_t c = 0; c < 3; ++c) {
      const double unit = byte_unit(c), shift = byte_shift(c);
      const double zero_point = std::clamp(std::round(-shift / unit), 0.0, 255.0);
      grid.zero_points.push_back(static_cast<uint8_t>(zero_point));
      grid.unit.push_back(unit);
      grid.zero.push_back(shift + unit * zero_point);
    }
    return grid;
  }

  // x, of one unit and zero point for all channels, as a value of codes.
  int quantized_bytes(const torch::Tensor& x, const ByteGrid& grid) {
    packed::QuantizeT quantize;
    quantize.input = real(x);
    quantize.groups = 1;
    for (int code = 1; code < kByteLevels; ++code)
      quantize.thresholds.push_back(
          static_cast<float>((code - 0.5 - grid.zero_points[0]) * grid.unit[0]));
    return emit(std::move(quantize), x, Kind::code, kByteLevels);
  }

  int byte_conv(const ConvCall& call, const std::optional<Fold>& fold, const torch::Tensor& like) {
    const bool of_image = call.input.is_same(trace_.input());
    const ByteGrid grid = of_image ? image_grid() : grid_over(call.input);
    const ByteWeights weights =
        byte_weights(call.weight, call.groups, call.stride, call.padding, call.input, grid);
    packed::CodeConvT conv;
    conv.input = of_image ? 0 : quantized_bytes(call.input, grid);
    conv.window = window(call.kernel(), call.stride, call.padding);
    conv.groups = call.groups;
    auto plane = std::make_unique<packed::CodePlaneT>();
    plane->zero_points = grid.zero_points;
    plane->channels = static_cast<int>(call.input.size(1));
    conv.codes.push_back(std::move(plane));
    const torch::Tensor codes = in_program_order(weights.codes);
    const auto* data = reinterpret_cast<const uint8_t*>(codes.const_data_ptr<int8_t>());
    auto part = std::make_unique<packed::WeightPlaneT>();
    part->bits = 8;
    part->data.assign(data, data + codes.numel());
    conv.weights.push_back(std::move(part));
    for (size_t o = 0; o < weights.scale.size(); ++o)
      conv.coefficients.push_back(static_cast<float>(weights.scale[o] * folded(fold, o)));
    const bool centered = std::ranges::all_of(weights.shift, [](double x) { return x == 0; });
    conv.bias = bias_of(call, fold, centered ? std::vector<double>() : weights.shift);
    return emit(std::move(conv), like);
  }

  int real_conv(const ConvCall& call, const std::optional<Fold>& fold, const torch::Tensor& like) {
    packed::RealConvT conv;
    conv.input = real(call.input);
    conv.window = window(call.kernel(), call.stride, call.padding);
    conv.groups = call.groups;
    torch::Tensor weight = call.quantized_weight.detach();
    if (weight.dim() == 2) weight = weight.unsqueeze(2).unsqueeze(3);
    weight = in_program_order(weight).to(torch::kFloat64);
    if (fold) weight = weight * torch::tensor(fold->factor, torch::kFloat64).view({-1, 1, 1, 1});
    conv.weight = numbers_of<float>(weight);
    conv.bias = bias_of(call, fold);
    return emit(std::move(conv), like);
  }

  // ---- everything else ----

  int batch_norm(const Node& node) {
    const torch::Tensor x = node.inputs[0].toTensor();
    const auto parameter = [&](size_t i, double otherwise) {
      return node.inputs[i].isTensor() && node.inputs[i].toTensor().defined()
                 ? node.inputs[i].toTensor().detach().to(torch::kFloat64)
                 : torch::full({x.size(1)}, otherwise, torch::kFloat64);
    };
    const torch::Tensor factor = parameter(1, 1) / (parameter(4, 1) + number(node, 7)).sqrt();
    const torch::Tensor shift = parameter(2, 0) - parameter(3, 0) * factor;
    const Fold fold{numbers_of<double>(factor), numbers_of<double>(shift)};
    const Node* before = trace_.producer(x);
    if (before && before->op == "aten::conv2d" && trace_.uses(x) == 1) {
      return convolution(*before, fold);
    }
    packed::AffineT affine;
    affine.input = real(x);
    affine.factor.assign(fold.factor.begin(), fold.factor.end());
    affine.shift.assign(fold.shift.begin(), fold.shift.end());
    return emit(std::move(affine), node.output);
  }

  int pool(const Node& node) {
    const bool average = node.op == "aten::avg_pool2d";
    packed::PoolT pool;
    pool.input = real(node.inputs[0].toTensor());
    pool.pooling = average ? packed::Pooling::average : packed::Pooling::maximum;
    const int kernel = static_cast<int>(first(node.inputs[1]));
    const std::vector<int64_t> strides = node.inputs[2].toIntVector();
    pool.window = window(kernel, strides.empty() ? kernel : static_cast<int>(strides[0]),
                         static_cast<int>(first(node.inputs[3])));
    pool.ceil = node.inputs[average ? 4 : 5].toBool();
    return emit(std::move(pool), node.output);
  }

  int mean(const Node& node) {
    const torch::Tensor x = node.inputs[0].toTensor();
    packed::MeanT mean;
    mean.input = real(x);
    for (const int64_t dim : node.inputs[1].toIntVector()) {
      const int64_t at = dim < 0 ? dim + x.dim() : dim;
      if (at == 0) refuse(node, "a mean over the batch");
      (at == 1 ? mean.over_channels : mean.over_pixels) = true;
    }
    return emit(std::move(mean), node.output);
  }

  static packed::BinaryT binary_of(int a, int b, packed::Arithmetic arithmetic) {
    packed::BinaryT binary;
    binary.a = a;
    binary.b = b;
    binary.arithmetic = arithmetic;
    return binary;
  }

  static std::optional<packed::Arithmetic> arithmetic_of(const std::string& op) {
    if (op == "aten::add") return packed::Arithmetic::add;
    if (op == "aten::sub") return packed::Arithmetic::subtract;
    if (op == "aten::mul") return packed::Arithmetic::multiply;
    if (op == "aten::div") return packed::Arithmetic::divide;
    return std::nullopt;
  }

  bool is_constant(const c10::IValue& value) const {
    if (!value.isTensor()) return true;
    const torch::Tensor& tensor = value.toTensor();
    return !tensor.is_same(trace_.input()) && !depends_on_input(tensor);
  }
  bool depends_on_input(const torch::Tensor& tensor) const {
    if (tensor.is_same(trace_.input())) return true;
    const Node* node = trace_.producer(tensor);
    return node && std::ranges::any_of(node->inputs, [this](const c10::IValue& input) {
             if (input.isTensorList())
               return std::ranges::any_of(input.toTensorVector(), [this](const torch::Tensor& t) {
                 return depends_on_input(t);
               });
             return input.isTensor() && input.toTensor().defined() &&
                    depends_on_input(input.toTensor());
           });
  }

  int binary(const Node& node, packed::Arithmetic arithmetic) {
    using enum packed::Arithmetic;
    const bool sums = arithmetic == add || arithmetic == subtract;
    if (sums && node.inputs.size() > 2 && number(node, 2) != 1) refuse(node, "a factor in a sum");
    const bool constant_a = is_constant(node.inputs[0]), constant_b = is_constant(node.inputs[1]);
    if (!constant_a && !constant_b) {
      int a = real(node.inputs[0].toTensor()), b = real(node.inputs[1].toTensor());
      // b is the one that is repeated.
      const bool swap = node.inputs[0].toTensor().numel() < node.inputs[1].toTensor().numel();
      if (swap && (arithmetic == subtract || arithmetic == divide))
        refuse(node, "its first operand is the smaller one");
      if (swap) std::swap(a, b);
      return emit(binary_of(a, b, arithmetic), node.output);
    }
    if (constant_a && (arithmetic == subtract || arithmetic == divide))
      refuse(node, "its first operand is a constant");
    const c10::IValue& variable = node.inputs[constant_b ? 0 : 1];
    const c10::IValue& constant = node.inputs[constant_b ? 1 : 0];
    packed::AffineT affine;
    affine.input = real(variable.toTensor());
    Numbers operand = constant.isTensor()
                          ? numbers_of<float>(constant.toTensor())
                          : Numbers{static_cast<float>(constant.toScalar().toDouble())};
    if (operand.size() != 1 && static_cast<int64_t>(operand.size()) != node.output.size(1))
      refuse(node, "a constant that is neither one number nor one for each channel");
    for (float& value : operand) {
      if (arithmetic == subtract) value = -value;
      if (arithmetic == divide) value = 1 / value;
    }
    (sums ? affine.shift : affine.factor) = std::move(operand);
    return emit(std::move(affine), node.output);
  }

  std::optional<int> activation(const Node& node) {
    using packed::Function;
    packed::ActivationT activation;
    if (node.op == "aten::relu") {
      activation.function = Function::relu;
    } else if (node.op == "aten::hardtanh") {
      activation.function = Function::clamp;
      activation.low = static_cast<float>(number(node, 1));
      activation.high = static_cast<float>(number(node, 2));
    } else if (node.op == "aten::leaky_relu") {
      activation.function = Function::leaky;
      activation.slope = {static_cast<float>(number(node, 1))};
    } else if (node.op == "aten::prelu") {
      activation.function = Function::leaky;
      activation.slope = numbers_of<float>(node.inputs[1].toTensor());
    } else if (node.op == "aten::abs") {
      activation.function = Function::absolute;
    } else {
      return std::nullopt;
    }
    activation.input = real(node.inputs[0].toTensor());
    return emit(std::move(activation), node.output);
  }

  std::optional<int> rearranged(const Node& node) {
    const auto& in = node.inputs;
    if (node.op == "aten::constant_pad_nd") return padded(node);
    if (node.op == "aten::cat") {
      packed::ConcatenateT concatenate;
      for (const torch::Tensor& tensor : in[0].toTensorVector())
        concatenate.inputs.push_back(real(tensor));
      return emit(std::move(concatenate), node.output);
    }
    packed::RearrangeT rearrange;
    if (node.op == "lowbit::space_to_depth" || node.op == "lowbit::depth_to_space") {
      rearrange.layout = node.op == "lowbit::space_to_depth" ? packed::Layout::space_to_depth
                                                             : packed::Layout::depth_to_space;
      rearrange.cell = static_cast<int>(in[1].toInt());
    } else if (node.op == "aten::flatten" || node.op == "aten::view" ||
               node.op == "aten::reshape" || node.op == "aten::squeeze") {
      // Of one pixel alone both are the same; the order of several would be channels first.
      rearrange.layout = packed::Layout::flatten;
      const auto [height, width, channels] = shape_of(in[0].toTensor());
      if (height * width != 1 && channels != node.output.size(1)) return flattened_pixels(node);
      if (height * width != 1) return std::nullopt;
    } else {
      return std::nullopt;
    }
    rearrange.input = real(in[0].toTensor());
    return emit(std::move(rearrange), node.output);
  }

  // [H, W, C] as one vector in the network's order, channels first: cells of the whole image.
  std::optional<int> flattened_pixels(const Node& node) {
    const auto [height, width, channels] = shape_of(node.inputs[0].toTensor());
    if (height != width) return std::nullopt;
    packed::RearrangeT rearrange;
    rearrange.layout = packed::Layout::space_to_depth;
    rearrange.cell = height;
    rearrange.input = real(node.inputs[0].toTensor());
    return emit(std::move(rearrange), node.output);
  }

  int padded(const Node& node) {
    const std::vector<int64_t> sides = node.inputs[1].toIntVector();
    const bool even = sides.size() == 4 &&
                      std::ranges::all_of(sides, [&](int64_t side) { return side == sides[0]; });
    if (!even || number(node, 2) != 0) refuse(node, "only equal sides of zeros");
    packed::RearrangeT rearrange;
    rearrange.layout = packed::Layout::pad;
    rearrange.cell = static_cast<int>(sides[0]);
    rearrange.input = real(node.inputs[0].toTensor());
    return emit(std::move(rearrange), node.output);
  }

  const Trace& trace_;
  const LowerOptions& options_;
  packed::ModelT model_;
  std::map<Key, int> reals_;
  std::map<Key, Codes> codes_;
};

}  // namespace

packed::ModelT lower(const Trace& trace, const LowerOptions& options) {
  return Lowerer(trace, options).lower();
}

}  // namespace lowbit::deploy
