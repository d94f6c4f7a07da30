#include "consumers.h"

#include <algorithm>

namespace lowbit::onnx {

std::vector<int> inputs_of(const packed::OperationUnion& operation) {
  using packed::Operation;
  switch (operation.type) {
    case Operation::CodeConv:
      return {operation.AsCodeConv()->input};
    case Operation::RealConv:
      return {operation.AsRealConv()->input};
    case Operation::Normalize:
      return {operation.AsNormalize()->input};
    case Operation::Affine:
      return {operation.AsAffine()->input};
    case Operation::Activation:
      return {operation.AsActivation()->input};
    case Operation::Binary:
      return {operation.AsBinary()->a, operation.AsBinary()->b};
    case Operation::Quantize:
      return {operation.AsQuantize()->input};
    case Operation::Dequantize:
      return {operation.AsDequantize()->input};
    case Operation::Pool:
      return {operation.AsPool()->input};
    case Operation::Mean:
      return {operation.AsMean()->input};
    case Operation::Rearrange:
      return {operation.AsRearrange()->input};
    case Operation::Concatenate:
      return operation.AsConcatenate()->inputs;
    case Operation::NONE:
      break;
  }
  return {};
}

OnlyUse only_use_of(const packed::ModelT& model, int value) {
  OnlyUse use;
  for (bool ends = false; !ends;) {
    const packed::OperationUnion* reader = nullptr;
    int next = 0;
    for (size_t step = 0; step < model.steps.size(); ++step) {
      const packed::OperationUnion& operation = model.steps[step]->operation;
      const std::vector<int> inputs = inputs_of(operation);
      if (std::ranges::find(inputs, value) == inputs.end()) continue;
      if (reader) return {};
      reader = &operation;
      next = static_cast<int>(step) + 1;
    }
    if (!reader) return {};
    const auto* activation = reader->AsActivation();
    if (activation && activation->function == packed::Function::relu) {
      use.low = std::max(use.low, 0.0F);
    } else if (activation && activation->function == packed::Function::clamp) {
      use.low = std::max(use.low, activation->low);
      use.high = std::min(use.high, activation->high);
    } else {
      use.quantize = reader->AsQuantize();
      ends = true;
    }
    value = next;
  }
  if (use.quantize && use.quantize->groups != 1) return {};
  return use;
}

}  // namespace lowbit::onnx
