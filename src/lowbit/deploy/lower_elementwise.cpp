#include <algorithm>
#include <vector>

#include "lowbit/deploy/numbers.h"
#include "lowbit/deploy/operations.h"

namespace lowbit::deploy {
namespace {

std::optional<packed::Arithmetic> arithmetic_of(const std::string& op) {
  if (op == "aten::add") return packed::Arithmetic::add;
  if (op == "aten::sub") return packed::Arithmetic::subtract;
  if (op == "aten::mul") return packed::Arithmetic::multiply;
  if (op == "aten::div") return packed::Arithmetic::divide;
  return std::nullopt;
}

bool depends_on_input(const Trace& trace, const torch::Tensor& tensor) {
  if (tensor.is_same(trace.input())) return true;
  const Node* node = trace.producer(tensor);
  return node && std::ranges::any_of(node->inputs, [&](const c10::IValue& input) {
           if (input.isTensorList())
             return std::ranges::any_of(input.toTensorVector(), [&](const torch::Tensor& t) {
               return depends_on_input(trace, t);
             });
           return input.isTensor() && input.toTensor().defined() &&
                  depends_on_input(trace, input.toTensor());
         });
}

bool is_constant(const Trace& trace, const c10::IValue& value) {
  return !value.isTensor() || !depends_on_input(trace, value.toTensor());
}

int binary(Builder& to, const Node& node, packed::Arithmetic arithmetic) {
  using enum packed::Arithmetic;
  const bool sums = arithmetic == add || arithmetic == subtract;
  if (sums && node.inputs.size() > 2 && number(node, 2) != 1) to.refuse(node, "a factor in a sum");
  const bool constant_a = is_constant(to.trace(), node.inputs[0]);
  const bool constant_b = is_constant(to.trace(), node.inputs[1]);
  if (!constant_a && !constant_b) {
    int a = to.real(node.inputs[0].toTensor()), b = to.real(node.inputs[1].toTensor());
    // b is the one that is repeated.
    const bool swap = node.inputs[0].toTensor().numel() < node.inputs[1].toTensor().numel();
    if (swap && (arithmetic == subtract || arithmetic == divide))
      to.refuse(node, "its first operand is the smaller one");
    if (swap) std::swap(a, b);
    return to.emit(binary_of(a, b, arithmetic), node.output);
  }
  if (constant_a && (arithmetic == subtract || arithmetic == divide))
    to.refuse(node, "its first operand is a constant");
  const c10::IValue& variable = node.inputs[constant_b ? 0 : 1];
  const c10::IValue& constant = node.inputs[constant_b ? 1 : 0];
  packed::AffineT affine;
  affine.input = to.real(variable.toTensor());
  std::vector<float> operand =
      constant.isTensor() ? numbers_of<float>(constant.toTensor())
                          : std::vector{static_cast<float>(constant.toScalar().toDouble())};
  if (operand.size() != 1 && static_cast<int64_t>(operand.size()) != node.output.size(1))
    to.refuse(node, "a constant that is neither one number nor one for each channel");
  for (float& value : operand) {
    if (arithmetic == subtract) value = -value;
    if (arithmetic == divide) value = 1 / value;
  }
  (sums ? affine.shift : affine.factor) = std::move(operand);
  return to.emit(std::move(affine), node.output);
}

}  // namespace

std::optional<int> arithmetic(Builder& to, const Node& node) {
  const std::optional<packed::Arithmetic> which = arithmetic_of(node.op);
  return which ? std::optional(binary(to, node, *which)) : std::nullopt;
}

std::optional<int> activation(Builder& to, const Node& node) {
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
  activation.input = to.real(node.inputs[0].toTensor());
  return to.emit(std::move(activation), node.output);
}

}  // namespace lowbit::deploy
