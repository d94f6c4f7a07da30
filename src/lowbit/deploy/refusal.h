// The error for a node that cannot be packed.
#pragma once

#include <string_view>

#include "lowbit/core/error.h"
#include "lowbit/graph/operation_table.h"

namespace lowbit::deploy {

// An Error (failure) that names the node and its operation.
[[noreturn]] inline void refuse(const graph::Graph& graph, const graph::Node& node,
                                std::string_view why) {
  throw core::failure("node '{}' ({}) cannot be packed: {}", graph.name_of(node),
                      operation_name(node.operation), why);
}

}  // namespace lowbit::deploy
