#include "lowbit/passes/checkpoint_order.h"

#include "lowbit/graph/module_tree.h"

namespace lowbit::passes {

std::vector<graph::ValueId> checkpoint_order(const graph::Graph& graph,
                                             const std::vector<graph::ValueId>& entries) {
  const graph::Uses uses(graph);
  graph::ModuleTree tree;
  for (const graph::ValueId id : entries) {
    const std::string& name = graph.value(id).name;
    if (const graph::Parameter* parameter = uses.parameter(id))
      tree.add_entry(name, id, is_buffer(parameter->role));
    else
      tree.add_stateful(name, id);
  }
  return tree.order();
}

}  // namespace lowbit::passes
