// A network as an explicit graph: values, the operations that compute them, and the parameters.
//
// Plain data in static single assignment: every value is the input, a parameter, or the output of
// exactly one node, and nodes stand in an order in which they can run. Structure only; the numbers
// of the parameters live elsewhere, under the same names. builder.h makes graphs, verify.h checks
// them, text.h and picture.h show them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lowbit/graph/operations.h"

namespace lowbit::graph {

// Sizes of a tensor. Of features without the batch: {C, H, W}, {C}, {T, C}. Of parameters all of
// them; {}: a scalar.
using Dims = std::vector<int64_t>;

// The product of the sizes, at most kMaxElements for dims that check_dims accepts.
int64_t element_count(const Dims& dims);

// Bounds that keep every product of sizes within 64 bits.
inline constexpr int64_t kMaxSize = (int64_t{1} << 31) - 1;      // of an axis, stride, padding, ...
inline constexpr int64_t kMaxElements = int64_t{1} << 40;        // of a value
inline constexpr size_t kMaxNodes = 1 << 20, kMaxInputs = 4096;  // of a graph, of a node
inline constexpr size_t kMaxName = 1024;                         // characters

// A usage error unless every size is 1..kMaxSize and their product at most kMaxElements.
void check_dims(const Dims& dims);

// What is known of a value before anything runs.
struct Type {
  Dims dims;
  bool batched = false;  // one for each image (features), or one for all (parameters)

  bool operator==(const Type&) const = default;
};

enum class ValueId : int32_t {};  // an index into Graph::values
constexpr size_t index(ValueId id) {
  return static_cast<size_t>(id);
}

struct Value {
  // Unique. Of a parameter the dotted name in checkpoints, "layer1.0.conv1.0.weight"; of a node's
  // output the name of the node, "layer1.0.conv1.0".
  std::string name;
  Type type;
};

enum class Role {
  trained,
  frozen,      // a parameter that training never changes
  statistics,  // a buffer of floats that forward passes update
  counter,     // a buffer, one int64, that counts forward passes
};

// A parameter belongs to the buffers of its module, which checkpoints list behind the others.
constexpr bool is_buffer(Role role) {
  return role == Role::statistics || role == Role::counter;
}

// How a parameter starts: random numbers or a constant, times `factor`. Numbers are drawn even if
// the factor is 0, so that the same seed gives the other parameters the same values.
struct Init {
  enum class Kind {
    constant,        // `value`
    kaiming_normal,  // deviation sqrt(2 / (dims[0] * dims[2] * dims[3])): fan out, ReLU
    uniform,         // within -value..value
  };
  Kind kind = Kind::constant;
  double value = 0;
  double factor = 1;

  bool operator==(const Init&) const = default;
};

struct Parameter {
  ValueId value;
  Role role = Role::trained;
  Init init;
};

struct Node {
  Operation operation;
  std::vector<ValueId> inputs;
  ValueId output;  // its name is the node's
};

struct Graph {
  std::string name;
  std::vector<Value> values;
  std::vector<Parameter> parameters;
  std::vector<Node> nodes;  // each behind those that compute its inputs
  ValueId input{}, output{};
  // The order of checkpoints: every parameter, and the output of every node with a state
  // (Quantize), in whose place the entries of that state stand. Parameters that no node uses are in
  // it, too: checkpoints hold layers that never run.
  std::vector<ValueId> state;

  Value& value(ValueId id) { return values.at(static_cast<size_t>(id)); }
  const Value& value(ValueId id) const { return values.at(static_cast<size_t>(id)); }
  const std::string& name_of(const Node& node) const { return value(node.output).name; }
  // Appends a value; its id.
  ValueId add_value(std::string value_name, Type type);
  // Null: the value is no parameter. Searches.
  const Parameter* parameter_of(ValueId id) const;
};

// Who computes and who reads each value, by ValueId. Valid until the graph changes.
struct Uses {
  explicit Uses(const Graph& graph);

  const Node* producer(ValueId id) const { return producers.at(static_cast<size_t>(id)); }
  const Parameter* parameter(ValueId id) const { return parameters.at(static_cast<size_t>(id)); }
  const std::vector<const Node*>& readers(ValueId id) const {
    return users.at(static_cast<size_t>(id));
  }

  std::vector<const Node*> producers;           // null: the input or a parameter
  std::vector<const Parameter*> parameters;     // null: no parameter
  std::vector<std::vector<const Node*>> users;  // once for each time that a node reads it
};

// The parameter that a value is, or that a chain of nodes without other inputs makes it of (a
// quantized weight); null: it depends on anything else.
const Parameter* source_parameter(const Uses& uses, ValueId id);

// Nothing: the operation is neither a convolution nor a linear layer.
std::optional<Precision> precision_of(const Operation& operation);

// The convolutions and linear layers that can be quantized (Precision other than fixed) as indices
// into graph.nodes, in the order of their weights in the state: the index that policies use.
std::vector<size_t> quantizable_layers(const Graph& graph);

}  // namespace lowbit::graph
