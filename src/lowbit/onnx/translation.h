// What the parts of the translation share: the program, the graph, and which tensor of the graph
// holds which value of the program.
#pragma once

#include <string>
#include <vector>

#include "graph.h"
#include "lowbit/onnx/writer.h"
#include "lowbit/runtime/program_generated.h"

namespace lowbit::onnx {

// A value [H, W, C] of the program is a tensor [N, C, H, W]: float32, or uint8 for codes.
struct Value {
  std::string tensor;
  float unit = 1;  // of codes: about the distance of two levels, so that dequantized numbers are
                   // those of the trained network
};

struct Translation {
  const packed::ModelT& model;
  const packed::Model& program;  // the same, as the runtime reads it
  const Options& options;
  Graph graph;
  std::vector<Value> values;  // value 0, the image, is the normalized one

  const Value& value(int number) const { return values.at(static_cast<size_t>(number)); }
  const packed::ValueT& shape(int number) const {
    return *model.values.at(static_cast<size_t>(number));
  }
  // The step in translation.
  const packed::Step& step() const {
    return *program.steps()->Get(static_cast<unsigned>(values.size()) - 1);
  }
  // The value that it gives.
  const packed::ValueT& result() const { return *model.values.at(values.size()); }

  // One number for each channel, or for all, that is repeated over [N, C, H, W].
  std::string per_channel(const std::vector<float>& numbers);
  std::string add_shift(const std::string& x, const std::vector<float>& shift);
};

// codes.cpp: x -> codes, codes -> levels.
Value quantize(Translation& to, const packed::QuantizeT& step);
Value dequantize(Translation& to, const packed::DequantizeT& step);
// unit * integers[code], by DequantizeLinear of uint8.
std::string dequantized_plane(Translation& to, const Value& codes,
                              const std::vector<int8_t>& plane);

// code_conv.cpp
Value code_conv(Translation& to, const packed::CodeConvT& step);

// steps.cpp: every step.
Value translate(Translation& to, const packed::OperationUnion& operation);

// Attributes of Conv and of the poolings: the window with the same padding on all sides, and one
// more.
std::vector<Attribute> window_attributes(const packed::Window& window, int padding,
                                         const Attribute& more);

}  // namespace lowbit::onnx
