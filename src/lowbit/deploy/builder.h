// A packed program in the making: what the files that lower a trace share.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lowbit/deploy/lower.h"
#include "lowbit/deploy/trace.h"

namespace lowbit::deploy {

constexpr int kByteLevels = 256;

// A quantized activation in the program.
struct Codes {
  int value = 0;
  std::vector<quant::StepFunction> groups;
  quant::Grid grid;
  int factor = -1;  // a real value to multiply with what is computed from it; -1: none
};

// Walks back from a tensor of the trace to what it is computed of, and emits a step for each
// operation on the way, once. Values of the program are named by their numbers.
class Builder {
 public:
  // Both must stay. The program has the image already, value 0.
  Builder(const Trace& trace, const LowerOptions& options);

  const Trace& trace() const { return trace_; }
  const LowerOptions& options() const { return options_; }

  // The tensor as a real value. An Error (failure) where the format cannot say how it is computed.
  int real(const torch::Tensor& tensor);
  // What a quantizer makes of its input.
  const Codes& codes(const Node& quantizer);

  // The number of the value that the operation gives, which looks like `like`.
  template <class Operation>
  int emit(Operation operation, const torch::Tensor& like, packed::Kind kind = packed::Kind::real,
           int levels = 0) {
    auto step = std::make_unique<packed::StepT>();
    step->operation.Set(std::move(operation));
    model_.steps.push_back(std::move(step));
    add_value(kind, like, levels, trace_.layer_of(like));
    return static_cast<int>(model_.steps.size());
  }
  void name_value(int value, std::string name);

  // An Error (failure) that names the operation and its layer.
  [[noreturn]] void refuse(const Node& node, const std::string& why) const;

  packed::ModelT finish() { return std::move(model_); }

 private:
  using Key = const c10::TensorImpl*;

  void add_value(packed::Kind kind, const torch::Tensor& like, int levels, const std::string& name);
  int make_real(const torch::Tensor& tensor);

  const Trace& trace_;
  const LowerOptions& options_;
  packed::ModelT model_;
  std::map<Key, int> reals_;
  std::map<Key, Codes> codes_;
};

// Height, width and channels of a tensor of the pass.
std::array<int, 3> shape_of(const torch::Tensor& tensor);

// A parameter of the operation that must be a plain number; 0 where there is none.
double number(const Node& node, size_t input);
// A number, or the first of several.
int64_t first(const c10::IValue& value);

std::unique_ptr<packed::Window> window(int kernel, int stride, int padding);
packed::BinaryT binary_of(int a, int b, packed::Arithmetic arithmetic);

}  // namespace lowbit::deploy
