// A packed program as an ONNX file, for runtimes that know nothing of this one.
#pragma once

#include <array>
#include <string>

#include "lowbit/runtime/program_generated.h"

namespace lowbit::onnx {

// The least width in which the weights of quantized convolutions stand. Weights that do not fit
// take the next one.
enum class Weights {
  int8,
  int4,  // or uint4 with a zero point
  int2,  // or uint2; makes the file one of opset 25 instead of 21
};

struct Options {
  std::array<double, 3> mean{}, std{1, 1, 1};  // of the image, per channel, of values in 0..1
  Weights weights = Weights::int8;
  std::string version;  // of the program that writes the file
};

// The bytes of the file. Input "image", float32 [N, 3, height, width], normalized with mean and
// std; output "logits", float32 [N, classes]. Sizes, mean, std, resize and the names of the classes
// stand in metadata_props. It gives what the program gives but for float32 roundings. A step that
// cannot be said is an Error (failure).
std::string onnx_file(const packed::ModelT& model, const Options& options);

}  // namespace lowbit::onnx
