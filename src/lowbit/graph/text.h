// A graph as text that a person reads and a test compares.
#pragma once

#include <string>

#include "lowbit/graph/graph.h"

namespace lowbit::graph {

struct TextOptions {
  bool state =
      false;  // then also the entries of checkpoints, in order, with roles and start values
};

// A line for each node, in order:
//
//   conv1 : [16, 32, 32] = convolution(images, weight[16, 3, 3, 3]) padding 1
//
// name, shape without the batch, operation, inputs, attributes other than the defaults. A node's
// own parameters have their short names, and sizes if they have several axes; own buffers of norms
// are left out. Ends with a newline.
std::string to_text(const Graph& graph, const TextOptions& options = {});

// The part of the line behind "=".
std::string node_text(const Graph& graph, const Uses& uses, const Node& node);

}  // namespace lowbit::graph
