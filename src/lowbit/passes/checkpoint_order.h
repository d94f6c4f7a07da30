// Where the entries of checkpoints stand that a pass adds.
#pragma once

#include <vector>

#include "lowbit/graph/graph.h"

namespace lowbit::passes {

// The entries, parameters and outputs of nodes with a state, in the order of checkpoints
// (graph::ModuleTree): Graph::state of a graph that has these.
std::vector<graph::ValueId> checkpoint_order(const graph::Graph& graph,
                                             const std::vector<graph::ValueId>& entries);

}  // namespace lowbit::passes
