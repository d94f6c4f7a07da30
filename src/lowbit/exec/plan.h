// How a graph is run: which operations are done together, and how long values are kept.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "lowbit/graph/graph.h"

namespace lowbit::exec {

// Nodes one after another that one pass over memory can do where the tensors suit it
// (nn::has_fused_passes), to the same bits; otherwise they are done one by one:
//
//   batch norm [, sum with a skip, activation | [activation,] quantizer of features]
//   channels of one value repeated for branches that are joined, sum
//
// or a single node. Values between them are read by nothing else.
struct Step {
  std::vector<size_t> nodes;              // of the joined graph
  std::vector<size_t> seen;               // of the graph: whose values are there then
  std::vector<graph::ValueId> last_read;  // of the joined graph: not needed any more
};

// The place of a value in the joined graph: a range of channels (0 channels: all).
struct ValuePlace {
  graph::ValueId value{};
  int64_t begin = 0, channels = 0;
};

struct Plan {
  graph::Graph joined;  // the graph that runs, after passes::join_branches
  std::vector<Step> steps;
  // By ValueId of the graph; nothing: the value is not computed.
  std::vector<std::optional<ValuePlace>> places;
  // By ValueId of the joined graph, of its parameters: those of the graph that it consists of.
  std::vector<std::vector<graph::ValueId>> parts;

  Plan(const graph::Graph& graph,
       const std::function<bool(const graph::Quantize&)>& is_fixed_function);
};

}  // namespace lowbit::exec
