// Batch norms in evaluation as arithmetic.
#pragma once

#include <vector>

#include "lowbit/graph/graph.h"

namespace lowbit::passes {

// The parameters of a batch norm, as they were, and those that take their place:
//
//   factor = weight / sqrt(var + eps), shift = bias - mean * factor
//
// With affine_first (graph::BatchNorm) shift = (bias - mean) / sqrt(var + eps).
struct FoldedNorm {
  graph::ValueId weight, bias, mean, var;  // {C}
  double eps;
  bool affine_first;
  graph::ValueId factor, shift;  // {C, 1, ...}, as many axes as the features
};

struct FoldedNorms {
  graph::Graph graph;
  std::vector<FoldedNorm> norms;
};

// Every batch norm NAME becomes two nodes, and its own parameters are not read any more:
//
//   NAME.scaled = multiply(x, NAME.factor)
//   NAME        = add(NAME.scaled, NAME.shift)
//
// All values keep their ids. Needs a graph that verify() accepts.
FoldedNorms fold_norms(graph::Graph graph);

}  // namespace lowbit::passes
