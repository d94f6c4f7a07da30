#include <algorithm>
#include <vector>

#include "lowbit/deploy/numbers.h"
#include "lowbit/deploy/operations.h"

namespace lowbit::deploy {
namespace {

packed::Arithmetic arithmetic_of(graph::Arithmetic kind) {
  switch (kind) {
    case graph::Arithmetic::add:
      return packed::Arithmetic::add;
    case graph::Arithmetic::subtract:
      return packed::Arithmetic::subtract;
    case graph::Arithmetic::multiply:
      return packed::Arithmetic::multiply;
    case graph::Arithmetic::divide:
      break;
  }
  return packed::Arithmetic::divide;
}

bool is_symmetric(graph::Arithmetic kind) {
  return kind == graph::Arithmetic::add || kind == graph::Arithmetic::multiply;
}

// Of two features. The second operand of a step is the one that is repeated.
int of_features(Builder& to, const Node& node, graph::Arithmetic kind) {
  ValueId a = node.inputs[0], b = node.inputs[1];
  if (to.dims(a) != to.dims(node.output)) {
    std::swap(a, b);
    if (!is_symmetric(kind)) to.refuse(node, "its first operand is the smaller one");
  }
  if (to.dims(a) != to.dims(node.output)) to.refuse(node, "both operands are repeated");
  const int real_a = to.real(a), real_b = to.real(b);
  return to.emit(binary_of(real_a, real_b, arithmetic_of(kind)), node.output);
}

// With a constant; a shift behind a factor is part of the same step.
int of_channels(Builder& to, const Node& node, graph::Arithmetic kind) {
  const size_t side = to.is_constant(node.inputs[0]) ? 0 : 1;
  if (side == 0 && !is_symmetric(kind)) to.refuse(node, "its first operand is a constant");
  const std::optional<ChannelConstant> constant = to.constant_of(node);
  if (!constant) to.refuse(node, "a constant that is neither one number nor one for each channel");
  packed::AffineT affine;
  affine.input = to.real(node.inputs[1 - side]);
  std::vector<float> numbers = constant->numbers;
  for (float& number : numbers) {
    if (kind == graph::Arithmetic::subtract) number = -number;
    if (kind == graph::Arithmetic::divide) number = 1 / number;
  }
  const bool sums = kind == graph::Arithmetic::add || kind == graph::Arithmetic::subtract;
  (sums ? affine.shift : affine.factor) = std::move(numbers);
  const auto shifted =
      sums ? std::nullopt : to.constant_behind(node.output, graph::Arithmetic::add);
  if (!shifted) return to.emit(std::move(affine), node.output);
  affine.shift = shifted->numbers;
  const int value = to.emit(std::move(affine), shifted->node->output);
  to.add_as(*shifted->node, value);
  return value;
}

int activated(Builder& to, const Node& node, packed::ActivationT activation) {
  activation.input = to.real(node.inputs[0]);
  return to.emit(std::move(activation), node.output);
}

int leaky(Builder& to, const Node& node, std::vector<float> slope) {
  packed::ActivationT activation;
  activation.function = packed::Function::leaky;
  activation.slope = std::move(slope);
  return activated(to, node, std::move(activation));
}

}  // namespace

int lowered(Builder& to, const Node& node, const graph::Binary& op) {
  const bool constant = to.is_constant(node.inputs[0]) || to.is_constant(node.inputs[1]);
  return constant ? of_channels(to, node, op.kind) : of_features(to, node, op.kind);
}

int lowered(Builder& to, const Node& node, const graph::Relu&) {
  packed::ActivationT activation;
  activation.function = packed::Function::relu;
  return activated(to, node, std::move(activation));
}

int lowered(Builder& to, const Node& node, const graph::Clip& op) {
  packed::ActivationT activation;
  activation.function = packed::Function::clamp;
  activation.low = static_cast<float>(op.low);
  activation.high = static_cast<float>(op.high);
  return activated(to, node, std::move(activation));
}

int lowered(Builder& to, const Node& node, const graph::LeakyRelu& op) {
  return leaky(to, node, {static_cast<float>(op.slope)});
}

int lowered(Builder& to, const Node& node, const graph::PRelu&) {
  return leaky(to, node, numbers_of<float>(to.numbers(node.inputs[1])));
}

// Programs are float32.
int lowered(Builder& to, const Node& node, const graph::Widen&) {
  return to.real(node.inputs[0]);
}

}  // namespace lowbit::deploy
