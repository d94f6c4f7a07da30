// Who reads the values of a program.
#pragma once

#include <limits>
#include <vector>

#include "lowbit/runtime/program_generated.h"

namespace lowbit::onnx {

// The values that an operation reads.
std::vector<int> inputs_of(const packed::OperationUnion& operation);

// The quantizer, of one group, that is all that the value is for, directly or behind ReLU or a
// clamp, which keep it between low and high; null: none.
struct OnlyUse {
  const packed::QuantizeT* quantize = nullptr;
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
};
OnlyUse only_use_of(const packed::ModelT& model, int value);

}  // namespace lowbit::onnx
