#include <algorithm>

#include "lowbit/deploy/level_planes.h"
#include "lowbit/deploy/operations.h"

namespace lowbit::deploy {
namespace {

// The factor that the levels have for this input, computed of it.
int factor_of(Builder& to, const Node& node, int input) {
  const quant::Lowering& lowering = to.quantizer(node.output);
  if (lowering.factor_mean_dims.empty())
    to.refuse(node, "no step gives the factor that depends on its input");
  const std::string& name = to.graph().name_of(node);
  graph::Dims dims = to.dims(node.output);
  if (lowering.factor_of_magnitudes) {
    packed::ActivationT absolute;
    absolute.input = input;
    absolute.function = packed::Function::absolute;
    input = to.emit(std::move(absolute), dims, name);
  }
  const auto is_over = [&](int64_t dim) {
    return std::ranges::count(lowering.factor_mean_dims, dim) > 0;
  };
  const bool pixels = is_over(2), channels = is_over(1);
  const int factor = mean_over(to, input, pixels, channels, dims, name);
  if (pixels) dims = {dims[0]};
  if (channels) dims[0] = 1;
  if (lowering.factor_offset == 0) return factor;
  packed::AffineT offset;
  offset.input = factor;
  offset.shift = {static_cast<float>(lowering.factor_offset)};
  return to.emit(std::move(offset), dims, name);
}

}  // namespace

Codes quantized(Builder& to, const Node& node) {
  const quant::Lowering& lowering = to.quantizer(node.output);
  Codes codes;
  codes.groups = with_equal_levels(lowering.groups);
  codes.grid = lowering.grid;
  int input = to.real(node.inputs[0]);
  if (lowering.factor.defined()) {
    codes.factor = factor_of(to, node, input);
    if (lowering.factor_divides_input)
      input = to.emit(binary_of(input, codes.factor, packed::Arithmetic::divide), node.output);
  }
  packed::QuantizeT quantize;
  quantize.input = input;
  quantize.groups = static_cast<int>(codes.groups.size());
  for (const quant::StepFunction& group : codes.groups)
    quantize.thresholds.insert(quantize.thresholds.end(), group.thresholds.begin(),
                               group.thresholds.end());
  codes.value = to.emit(std::move(quantize), node.output, packed::Kind::code,
                        static_cast<int>(codes.groups[0].levels.size()));
  return codes;
}

int dequantized(Builder& to, ValueId quantized) {
  const Codes& codes = to.codes(quantized);
  packed::DequantizeT dequantize;
  dequantize.input = codes.value;
  dequantize.groups = static_cast<int>(codes.groups.size());
  for (const quant::StepFunction& group : codes.groups)
    dequantize.levels.insert(dequantize.levels.end(), group.levels.begin(), group.levels.end());
  const int value = to.emit(std::move(dequantize), quantized);
  if (codes.factor < 0) return value;
  return to.emit(binary_of(value, codes.factor, packed::Arithmetic::multiply), quantized);
}

}  // namespace lowbit::deploy
