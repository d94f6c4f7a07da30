// A quantizer's options as attributes of a node.
#pragma once

#include <string>

#include "lowbit/graph/operations.h"

namespace lowbit::graph {

// " activation lsq 4 levels half_range": tag, method, levels, then what differs from the defaults,
// under the names that policy files use.
std::string quantize_text(const Quantize& quantize);

}  // namespace lowbit::graph
