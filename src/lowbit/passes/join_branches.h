// Computes branches of the same layers side by side.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "lowbit/graph/graph.h"

namespace lowbit::passes {

// A parameter that is several of the graph before: one behind the other along axis 0.
struct JoinedParameter {
  std::string name;
  std::vector<std::string> parts;
};

// Channels of a value; `channels` 0: all of them.
struct JoinedPart {
  std::string value;
  int64_t begin = 0, channels = 0;
};

struct JoinedBranches {
  graph::Graph graph;
  std::vector<JoinedParameter> parameters;
  // Where the values of branches are now, by the names of their nodes.
  std::map<std::string, JoinedPart> parts;
};

// A sum over K branches of scales[k] times their values (Group-Net,
// https://arxiv.org/abs/1811.10413) becomes one branch of K times the channels and a ScaledSum: a
// few large operations instead of many small ones. On a GPU three branches then take half the time.
// Layers become one layer under the part of their names that they share, convolutions of features
// that differ one of K groups. The weights' quantizers stay one by one.
//
// Joined are branches that have the same layers in the same places: convolutions without groups and
// bias, batch norms, activations without parameters, sums, and quantizers of features of equal
// options for which `is_fixed_function` holds (they learn nothing, and each value depends on one
// alone); and whose inner values nothing else reads. What learns or counts in the parts goes on to
// do so: a joined graph says how to run the one before, whose state is the one of checkpoints.
JoinedBranches join_branches(const graph::Graph& graph,
                             const std::function<bool(const graph::Quantize&)>& is_fixed_function);

}  // namespace lowbit::passes
