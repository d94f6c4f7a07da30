#include <algorithm>
#include <string_view>

#include "lowbit/core/error.h"
#include "translation.h"
#include "weights.h"

namespace lowbit::onnx {
namespace {

std::string feature_axes(Translation& to, const packed::MeanT& step) {
  if (!step.over_channels) return to.graph.integers({2, 3});
  return step.over_pixels ? to.graph.integers({1, 2, 3}) : to.graph.integers({1});
}

// To every `each` numbers so many zeros.
std::vector<float> with_zeros(const std::vector<float>& numbers, int64_t each, int64_t zeros) {
  std::vector<float> more;
  for (auto first = numbers.begin(); first != numbers.end(); first += each) {
    more.insert(more.end(), first, first + each);
    more.insert(more.end(), static_cast<size_t>(zeros), 0.0F);
  }
  return more;
}

// ONNX Runtime adds the products of three input channels one channel after the other, those of
// sixteen in the order of the program, as oneDNN does, too: then all give the same bits. It costs
// the more, the larger the window is.
int zero_channels(const packed::ValueT& in, const packed::RealConvT& step) {
  constexpr int kTogether = 16, kLargestWindow = 3, kLargestSide = 64;
  const bool small = step.window->kernel() <= kLargestWindow && in.width <= kLargestSide;
  return small && step.groups == 1 && in.channels < kTogether ? kTogether - in.channels : 0;
}

Value real_conv(Translation& to, const packed::RealConvT& step) {
  const packed::ValueT& in = to.shape(step.input);
  const int64_t side = step.window->kernel(), out = to.result().channels;
  const int64_t ins = in.channels / step.groups, zeros = zero_channels(in, step);
  std::string x = to.value(step.input).tensor;
  std::vector<float> weight = channels_first(step.weight, {out, ins, side, side});
  if (zeros > 0) {
    x = to.graph.add("Pad", {x, to.graph.integers({0, 0, 0, 0, 0, zeros, 0, 0})});
    weight = with_zeros(weight, ins * side * side, zeros * side * side);
  }
  std::vector<std::string> inputs = {x, to.graph.floats(weight, {out, ins + zeros, side, side})};
  if (!step.bias.empty()) inputs.push_back(to.graph.floats(step.bias, {out}));
  return {to.graph.add(
      "Conv", inputs,
      window_attributes(*step.window, step.window->padding(), {"group", int64_t{step.groups}}))};
}

Value affine(Translation& to, const packed::AffineT& step) {
  std::string x = to.value(step.input).tensor;
  // The factor first: otherwise ONNX Runtime multiplies it into the weights of a convolution.
  if (!step.factor.empty()) x = to.graph.add("Mul", {to.per_channel(step.factor), x});
  return {to.add_shift(x, step.shift)};
}

Value activation(Translation& to, const packed::ActivationT& step) {
  using packed::Function;
  const std::string& x = to.value(step.input).tensor;
  switch (step.function) {
    case Function::relu:
      return {to.graph.add("Relu", {x})};
    case Function::clamp:
      return {to.graph.add("Clip", {x, to.graph.number(step.low), to.graph.number(step.high)})};
    case Function::leaky:
      if (step.slope.size() == 1)
        return {to.graph.add("LeakyRelu", {x}, {{"alpha", step.slope[0]}})};
      return {to.graph.add("PRelu", {x, to.per_channel(step.slope)})};
    case Function::absolute:
      return {to.graph.add("Abs", {x})};
    case Function::divide_root: {
      const std::string sum = to.graph.add("Add", {x, to.graph.number(step.low)});
      return {to.graph.add("Reciprocal", {to.graph.add("Sqrt", {sum})})};
    }
  }
  throw core::failure("a step of the program has an unknown function");
}

Value binary(Translation& to, const packed::BinaryT& step) {
  const char* const operators[] = {"Add", "Sub", "Mul", "Div"};  // as packed::Arithmetic
  return {to.graph.add(operators[static_cast<size_t>(step.arithmetic)],
                       {to.value(step.a).tensor, to.value(step.b).tensor})};
}

Value pool(Translation& to, const packed::PoolT& step) {
  const packed::ValueT &in = to.shape(step.input), &out = to.result();
  const packed::Window& window = *step.window;
  const bool average = step.pooling == packed::Pooling::average;
  std::vector<Attribute> attributes = window_attributes(
      window, window.padding(),
      average ? Attribute{"count_include_pad", int64_t{1}} : Attribute{"ceil_mode", int64_t{0}});
  if (step.ceil) {
    // ceil_mode has not always meant the same: the padding behind the image says it.
    const auto behind = [&](int from, int result) {
      return std::max<int64_t>(
          0, (result - 1) * window.stride() + window.kernel() - from - window.padding());
    };
    const int64_t before = window.padding();
    for (Attribute& attribute : attributes)
      if (std::string_view(attribute.name) == "pads")
        attribute.value =
            Shape{before, before, behind(in.height, out.height), behind(in.width, out.width)};
  }
  const Value& x = to.value(step.input);
  return {to.graph.add(average ? "AveragePool" : "MaxPool", {x.tensor}, attributes), x.unit};
}

Value mean(Translation& to, const packed::MeanT& step) {
  const std::string& x = to.value(step.input).tensor;
  if (step.over_pixels && !step.over_channels) return {to.graph.add("GlobalAveragePool", {x})};
  return {to.graph.add("ReduceMean", {x, feature_axes(to, step)}, {{"keepdims", int64_t{1}}})};
}

// [N, C, H, W] -> [N, C, H / cell, cell, W / cell, cell] -> cells in front of the pixels.
std::string space_to_depth(Translation& to, const std::string& x, const packed::ValueT& in,
                           int64_t cell) {
  const int64_t height = in.height / cell, width = in.width / cell;
  const std::string cells =
      to.graph.add("Reshape", {x, to.graph.integers({0, in.channels, height, cell, width, cell})});
  const std::string turned =
      to.graph.add("Transpose", {cells}, {{"perm", Shape{0, 1, 3, 5, 2, 4}}});
  return to.graph.add("Reshape",
                      {turned, to.graph.integers({0, in.channels * cell * cell, height, width})});
}

Value rearrange(Translation& to, const packed::RearrangeT& step) {
  using packed::Layout;
  const Value& from = to.value(step.input);
  const std::string& x = from.tensor;
  const int64_t cell = step.cell, first = step.first, last = first + to.result().channels;
  const auto of = [&from](std::string tensor) { return Value{std::move(tensor), from.unit}; };
  switch (step.layout) {
    case Layout::space_to_depth:
      return of(space_to_depth(to, x, to.shape(step.input), cell));
    case Layout::depth_to_space:
      return of(
          to.graph.add("DepthToSpace", {x}, {{"blocksize", cell}, {"mode", std::string("CRD")}}));
    case Layout::repeat:
      return of(to.graph.add("Concat", std::vector<std::string>(static_cast<size_t>(cell), x),
                             {{"axis", int64_t{1}}}));
    case Layout::pad:
      return of(to.graph.add(
          "Pad", {x, to.graph.integers({0, 0, cell, cell, 0, 0, cell, cell}), to.graph.number(0)}));
    case Layout::slice:
      return of(to.graph.add("Slice", {x, to.graph.integers({first}), to.graph.integers({last}),
                                       to.graph.integers({1})}));
    case Layout::flatten: {
      const packed::ValueT& in = to.shape(step.input);
      if (in.height == 1 && in.width == 1) return from;
      // The pixels first, as they lie in the program.
      const std::string turned = to.graph.add("Transpose", {x}, {{"perm", Shape{0, 2, 3, 1}}});
      return of(
          to.graph.add("Reshape", {turned, to.graph.integers({0, to.result().channels, 1, 1})}));
    }
  }
  throw core::failure("a step of the program has an unknown layout");
}

Value concatenate(Translation& to, const packed::ConcatenateT& step) {
  std::vector<std::string> inputs;
  for (const int input : step.inputs) inputs.push_back(to.value(input).tensor);
  return {to.graph.add("Concat", inputs, {{"axis", int64_t{1}}})};
}

}  // namespace

std::string Translation::per_channel(const std::vector<float>& numbers) {
  if (numbers.size() == 1) return graph.number(numbers[0]);
  return graph.floats(numbers, {static_cast<int64_t>(numbers.size()), 1, 1});
}

std::string Translation::add_shift(const std::string& x, const std::vector<float>& shift) {
  return shift.empty() ? x : graph.add("Add", {x, per_channel(shift)});
}

std::vector<Attribute> window_attributes(const packed::Window& window, int padding,
                                         const Attribute& more) {
  const int64_t side = window.kernel(), stride = window.stride(), border = padding;
  return {{"kernel_shape", Shape{side, side}},
          {"strides", Shape{stride, stride}},
          {"pads", Shape(4, border)},
          more};
}

Value translate(Translation& to, const packed::OperationUnion& operation) {
  using packed::Operation;
  switch (operation.type) {
    case Operation::CodeConv:
      return code_conv(to, *operation.AsCodeConv());
    case Operation::RealConv:
      return real_conv(to, *operation.AsRealConv());
    case Operation::Normalize:  // the graph's input is normalized
      return to.value(operation.AsNormalize()->input);
    case Operation::Affine:
      return affine(to, *operation.AsAffine());
    case Operation::Activation:
      return activation(to, *operation.AsActivation());
    case Operation::Binary:
      return binary(to, *operation.AsBinary());
    case Operation::Quantize:
      return quantize(to, *operation.AsQuantize());
    case Operation::Dequantize:
      return dequantize(to, *operation.AsDequantize());
    case Operation::Pool:
      return pool(to, *operation.AsPool());
    case Operation::Mean:
      return mean(to, *operation.AsMean());
    case Operation::Rearrange:
      return rearrange(to, *operation.AsRearrange());
    case Operation::Concatenate:
      return concatenate(to, *operation.AsConcatenate());
    case Operation::NONE:
      break;
  }
  throw core::failure("a step of the program has no operation");
}

}  // namespace lowbit::onnx
