// Who reads the values of a program.
#pragma once

#include <limits>

#include "lowbit/runtime/program_generated.h"

namespace lowbit::onnx {

// The quantizer, of one group, that is all that the value is for, directly or behind ReLU or a
// clamp, which keep it between low and high; null: none. model, program: the same.
struct OnlyUse {
  const packed::QuantizeT* quantize = nullptr;
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
};
OnlyUse only_use_of(const packed::ModelT& model, const packed::Model& program, int value);

}  // namespace lowbit::onnx
