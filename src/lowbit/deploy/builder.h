// A packed program under construction, shared by the files that lower a graph.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lowbit/deploy/lower.h"
#include "lowbit/deploy/refusal.h"
#include "lowbit/deploy/trained_graph.h"

namespace lowbit::deploy {

using graph::Node;
using graph::ValueId;

constexpr int kByteLevels = 256;

// A quantized activation in the program.
struct Codes {
  int value = 0;
  std::vector<quant::StepFunction> groups;
  quant::Grid grid;
  int factor = -1;  // a real value to multiply with what is computed from it; -1: none
};

// A node that adds or multiplies a constant: one number, or one for each channel.
struct ChannelConstant {
  const Node* node;
  std::vector<float> numbers;
};

// Emits the steps of one node after another. Values of the graph are named by ValueId, those of the
// program by their numbers.
class Builder {
 public:
  // Both must stay. The program has the image already, value 0.
  Builder(const TrainedGraph& trained, const LowerOptions& options);

  const LowerOptions& options() const { return options_; }
  const graph::Graph& graph() const { return trained_.graph(); }
  const graph::Dims& dims(ValueId id) const { return graph().value(id).type.dims; }
  const torch::Tensor& numbers(ValueId id) const { return trained_.numbers(id); }
  const quant::Lowering& quantizer(ValueId id) const { return trained_.quantizer(id); }

  bool is_image(ValueId id) const { return id == graph().input; }
  // One for all images.
  bool is_constant(ValueId id) const { return !graph().value(id).type.batched; }
  const Node* producer(ValueId id) const { return uses_.producer(id); }
  // The Quantize node that gives the value; null: none.
  const Node* quantizer_of(ValueId id) const;

  // The node that adds such a constant to the value, or multiplies it, if it is the only reader.
  std::optional<ChannelConstant> constant_behind(ValueId id, graph::Arithmetic kind) const;
  // The constant that the binary node has on either side of features of the size of its result.
  std::optional<ChannelConstant> constant_of(const Node& binary) const;

  // Emits what the node does, whose inputs must have been added. An Error (failure) names a node
  // that the format cannot say.
  void add(const Node& node);
  // The value, which `node` gives, has been computed together with an earlier one.
  void add_as(const Node& node, int value) { reals_[node.output] = value; }

  // The features as a real value.
  int real(ValueId id);
  // The result of a quantizer.
  const Codes& codes(ValueId id) const { return codes_.at(id); }

  // The number of the value that the operation gives, of the shape and name of the graph's value.
  template <class Operation>
  int emit(Operation operation, ValueId like, packed::Kind kind = packed::Kind::real,
           int levels = 0) {
    return emit(std::move(operation), dims(like), graph().value(like).name, kind, levels);
  }
  template <class Operation>
  int emit(Operation operation, const graph::Dims& dims, const std::string& name,
           packed::Kind kind = packed::Kind::real, int levels = 0) {
    auto step = std::make_unique<packed::StepT>();
    step->operation.Set(std::move(operation));
    model_.steps.push_back(std::move(step));
    add_value(kind, dims, levels, name);
    return static_cast<int>(model_.steps.size());
  }

  [[noreturn]] void refuse(const Node& node, std::string_view why) const {
    deploy::refuse(graph(), node, why);
  }

  packed::ModelT finish() { return std::move(model_); }

 private:
  void add_value(packed::Kind kind, const graph::Dims& dims, int levels, const std::string& name);

  const TrainedGraph& trained_;
  const LowerOptions& options_;
  const graph::Uses uses_;
  packed::ModelT model_;
  std::map<ValueId, int> reals_;
  std::map<ValueId, Codes> codes_;
};

// Height, width and channels of features {C, H, W} or {C}.
std::array<int, 3> shape_of(const graph::Dims& dims);

std::unique_ptr<packed::Window> window(int64_t kernel, int64_t stride, int64_t padding);
packed::BinaryT binary_of(int a, int b, packed::Arithmetic arithmetic);

}  // namespace lowbit::deploy
