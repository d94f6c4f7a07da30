// The table of operations: name, inputs, shape rule, attributes.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lowbit/graph/graph.h"

namespace lowbit::graph {

// What may stand in one place of a node's inputs.
struct InputRule {
  enum class Kind {
    any,
    features,    // batched
    constant,    // not batched: a parameter, or what is computed of parameters alone
    statistics,  // a parameter of this role
    counter,     // likewise
  };
  const char* name;  // of a layer's own parameter also its last name: "weight"
  Kind kind;
  bool optional = false;
};

struct OperationRow {
  const char* name;
  std::span<const InputRule> inputs;  // optional ones last
  bool repeats;                       // the last one may occur any number of times
  Dims (*infer)(const Operation&, std::span<const Dims>);
  // Those that differ from the defaults, each with a space before it: " stride 2 padding 1".
  std::string (*attributes)(const Operation&);
  bool has_state;  // the node owns entries of checkpoints under its name
};

const OperationRow& row_of(const Operation& operation);

// The name in text: that of the row, of arithmetic that of its kind ("add").
std::string operation_name(const Operation& operation);

// The rule of input `index`, which the row must have.
const InputRule& input_rule(const OperationRow& row, size_t index);

// An input of a node: its type and, of a parameter, its role.
struct Operand {
  Type type;
  std::optional<Role> role;
};

// The type of the node's output. A usage error that names the node unless number, kinds and shapes
// of the inputs suit the operation and all its sizes are within bounds.
Type infer(std::string_view node, const Operation& operation, std::span<const Operand> inputs);

}  // namespace lowbit::graph
