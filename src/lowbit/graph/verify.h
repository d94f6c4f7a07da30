// Whether a graph is one.
#pragma once

#include "lowbit/graph/graph.h"

namespace lowbit::graph {

// A usage error, which names the node or parameter at fault, unless
//  - all ids are of values, every value is defined exactly once, and nodes stand behind what they
//    read;
//  - inputs suit their operations, and all types are those that infer() gives;
//  - names are unique, 1..kMaxName printable characters; those in checkpoints have no empty part
//    between dots, and none is both a parameter and a module;
//  - the state holds every parameter and every node with a state once, in the order of nested
//    modules (module_tree.h);
//  - input and output are features, and numbers are within the bounds of graph.h.
// For graphs from anywhere: time and memory are proportional to the size of the graph, whatever is
// in it.
void verify(const Graph& graph);

}  // namespace lowbit::graph
