#include <fmt/format.h>

#include "lowbit/deploy/level_planes.h"
#include "lowbit/deploy/operations.h"

namespace lowbit::deploy {
namespace {

int factor_of(Builder& to, const Node& node, const torch::Tensor& x, int input) {
  if (node.lowering.factor_mean_dims.empty()) return to.real(node.lowering.factor);
  packed::ActivationT absolute;
  absolute.input = input;
  absolute.function = packed::Function::absolute;
  packed::MeanT mean;
  mean.input = to.emit(std::move(absolute), x);
  for (const int64_t dim : node.lowering.factor_mean_dims)
    (dim == 1 ? mean.over_channels : mean.over_pixels) = true;
  return to.emit(std::move(mean), node.lowering.factor);
}

// Codes are named by the layer whose input they are.
std::string name_of(const Builder& to, const Node& node) {
  const char* side = node.quantizer->shape().tag == config::Tag::ot ? "output" : "input";
  return fmt::format("{} {}", to.trace().layer_of(*node.quantizer), side);
}

}  // namespace

Codes quantized(Builder& to, const Node& node) {
  const torch::Tensor x = node.inputs[0].toTensor();
  Codes codes;
  codes.groups = with_equal_levels(node.lowering.groups);
  codes.grid = node.lowering.grid;
  int input = to.real(x);
  if (node.lowering.factor.defined()) {
    codes.factor = factor_of(to, node, x, input);
    if (node.lowering.factor_divides_input)
      input = to.emit(binary_of(input, codes.factor, packed::Arithmetic::divide), x);
  }
  packed::QuantizeT quantize;
  quantize.input = input;
  quantize.groups = static_cast<int>(codes.groups.size());
  for (const quant::StepFunction& group : codes.groups)
    quantize.thresholds.insert(quantize.thresholds.end(), group.thresholds.begin(),
                               group.thresholds.end());
  codes.value = to.emit(std::move(quantize), x, packed::Kind::code,
                        static_cast<int>(codes.groups[0].levels.size()));
  to.name_value(codes.value, name_of(to, node));
  return codes;
}

int dequantized(Builder& to, const Node& node) {
  const Codes codes = to.codes(node);
  packed::DequantizeT dequantize;
  dequantize.input = codes.value;
  dequantize.groups = static_cast<int>(codes.groups.size());
  for (const quant::StepFunction& group : codes.groups)
    dequantize.levels.insert(dequantize.levels.end(), group.levels.begin(), group.levels.end());
  const int value = to.emit(std::move(dequantize), node.output);
  if (codes.factor < 0) return value;
  return to.emit(binary_of(value, codes.factor, packed::Arithmetic::multiply), node.output);
}

}  // namespace lowbit::deploy
