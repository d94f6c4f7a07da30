// A graph as a picture.
#pragma once

#include <string>

#include "lowbit/graph/graph.h"

namespace lowbit::graph {

// An SVG: from top to bottom in the order of computation, branches next to each other, a box for
// each operation on features with its name, attributes and shape. A quantized weight is a line in
// the box that reads it. Pointing at a box shows its line of to_text().
std::string to_svg(const Graph& graph);

}  // namespace lowbit::graph
