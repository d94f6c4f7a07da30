#include "lowbit/deploy/lower.h"

#include <string>

#include "lowbit/core/error.h"
#include "lowbit/deploy/builder.h"
#include "lowbit/deploy/finite.h"

namespace lowbit::deploy {
namespace {

// The nodes that the output is computed of, but for constants. As a walk back from the output finds
// them: right before each node those that compute its first input, then its second, ... So what is
// computed is read soon, and little of it has to be kept.
std::vector<const Node*> nodes_of(const graph::Graph& graph) {
  struct Visit {
    const Node* node;
    size_t input = 0;  // the next one to be followed
  };
  const graph::Uses uses(graph);
  std::vector<bool> seen(graph.values.size());
  std::vector<const Node*> nodes;
  std::vector<Visit> path;
  const auto enter = [&](ValueId id) {
    const auto index = static_cast<size_t>(id);
    const Node* node = graph.values[index].type.batched ? uses.producer(id) : nullptr;
    if (node && !seen[index]) path.push_back({node});
    seen[index] = true;
  };
  enter(graph.output);
  while (!path.empty()) {
    Visit& last = path.back();
    if (last.input < last.node->inputs.size()) {
      enter(last.node->inputs[last.input++]);
    } else {
      nodes.push_back(last.node);
      path.pop_back();
    }
  }
  return nodes;
}

}  // namespace

packed::ModelT lower(const TrainedGraph& trained, const LowerOptions& options) {
  const graph::Graph& graph = trained.graph();
  const graph::Dims& image = graph.value(graph.input).type.dims;
  if (image.size() != 3 || image[0] != static_cast<int64_t>(options.mean.size()))
    throw core::failure("network '{}' cannot be packed: its input is not an image of {} channels",
                        graph.name, options.mean.size());
  Builder to(trained, options);
  for (const Node* node : nodes_of(graph)) to.add(*node);
  to.real(graph.output);
  packed::ModelT model = to.finish();
  if (const std::string where = first_not_finite(model); !where.empty())
    throw core::failure("{}: a number of the packed network is beyond float32", where);
  return model;
}

}  // namespace lowbit::deploy
