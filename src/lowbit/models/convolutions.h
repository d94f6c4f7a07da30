// The convolutions of a network as one image meets them.
#pragma once

#include <string>

#include "lowbit/graph/graph.h"

namespace lowbit::models {

// A line for each convolution, in the order of computation: name, shapes of input and weight,
// kernel, stride, padding, dilation, groups.
std::string format_convolutions(const graph::Graph& graph);

}  // namespace lowbit::models
