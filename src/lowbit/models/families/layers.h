// Layers that the keywords choose, as nodes of a graph.
#pragma once

#include <string_view>

#include "lowbit/config/model_options.h"
#include "lowbit/graph/builder.h"

namespace lowbit::models::families {

using graph::Builder;
using graph::Precision;
using graph::ValueId;

// The norm of the keywords. weight: what its factor starts with, if it has one. A number of groups
// that does not divide the channels is an Error (usage).
ValueId norm(Builder& b, std::string_view name, ValueId x, const config::ModelOptions& options,
             double weight = 1);

// The norm of a residual network: with `fixup` x itself.
ValueId block_norm(Builder& b, std::string_view name, ValueId x,
                   const config::ModelOptions& options, double weight = 1);

// What checkpoints hold of a block_norm that never runs: nothing in it is trained.
void unused_block_norm(Builder& b, std::string_view name, int64_t channels,
                       const config::ModelOptions& options, double weight = 1);

// The activation of the keyword; none: x itself.
ValueId activation(Builder& b, std::string_view name, ValueId x, config::Activation kind);

// One activation that several nodes are: a learned slope is shared. Nodes are name, name_1, ...
class SharedActivation {
 public:
  SharedActivation(Builder& b, std::string_view name, config::Activation kind);
  ValueId operator()(ValueId x);

 private:
  Builder& b_;
  std::string_view name_;
  config::Activation kind_;
  ValueId slope_{};  // of a PReLU
};

// y with the skip that goes around what has made it. Sizes that do not fit are an Error (usage).
ValueId add_skip(Builder& b, std::string_view name, ValueId y, ValueId skip);

// First and last layer of the families in which the keyword first-last quantizes them; otherwise
// they stay full precision and have no index in policy files.
inline Precision end_precision(const config::ModelOptions& options) {
  return options.first_last ? Precision::free : Precision::fixed;
}

// A linear layer ahead of which half precision ends (node `widen`): the logits are float32 at
// least.
ValueId last_linear(Builder& b, std::string_view name, ValueId x, const graph::LinearSpec& spec);

// Means of cells of size x size pixels; a rest at the border is dropped.
ValueId average_pool(Builder& b, std::string_view name, ValueId x, int64_t size);

}  // namespace lowbit::models::families
