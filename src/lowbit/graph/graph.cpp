#include "lowbit/graph/graph.h"

#include <algorithm>

#include "lowbit/core/error.h"
#include "lowbit/graph/dims_text.h"

namespace lowbit::graph {
int64_t element_count(const Dims& dims) {
  int64_t count = 1;
  for (const int64_t size : dims) count *= size;
  return count;
}

void check_dims(const Dims& dims) {
  int64_t count = 1;
  for (const int64_t size : dims) {
    if (size < 1 || size > kMaxSize)
      throw core::usage_error("size {} of {} is out of range (1..{})", size, dims_text(dims),
                              kMaxSize);
    if (count > kMaxElements / size)
      throw core::usage_error("{} has more than {} elements", dims_text(dims), kMaxElements);
    count *= size;
  }
}

ValueId Graph::add_value(std::string value_name, Type type) {
  values.push_back({std::move(value_name), std::move(type)});
  return static_cast<ValueId>(values.size() - 1);
}

const Parameter* Graph::parameter_of(ValueId id) const {
  const auto found = std::ranges::find(parameters, id, &Parameter::value);
  return found == parameters.end() ? nullptr : &*found;
}

Uses::Uses(const Graph& graph)
    : producers(graph.values.size()), parameters(graph.values.size()), users(graph.values.size()) {
  for (const Parameter& parameter : graph.parameters)
    parameters.at(static_cast<size_t>(parameter.value)) = &parameter;
  for (const Node& node : graph.nodes) {
    producers.at(static_cast<size_t>(node.output)) = &node;
    for (const ValueId input : node.inputs) users.at(static_cast<size_t>(input)).push_back(&node);
  }
}

const Parameter* source_parameter(const Uses& uses, ValueId id) {
  while (const Node* node = uses.producer(id)) {
    if (node->inputs.size() != 1) return nullptr;
    id = node->inputs.front();
  }
  return uses.parameter(id);
}

std::optional<Precision> precision_of(const Operation& operation) {
  if (const auto* conv = std::get_if<Convolution>(&operation)) return conv->precision;
  if (const auto* linear = std::get_if<Linear>(&operation)) return linear->precision;
  return std::nullopt;
}

std::vector<size_t> quantizable_layers(const Graph& graph) {
  const Uses uses(graph);
  std::vector<size_t> places(graph.values.size());  // in the state
  for (size_t i = 0; i < graph.state.size(); ++i)
    places.at(static_cast<size_t>(graph.state[i])) = i;
  struct Layer {
    size_t place, node;
    auto operator<=>(const Layer&) const = default;
  };
  std::vector<Layer> layers;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const std::optional<Precision> precision = precision_of(graph.nodes[i].operation);
    if (!precision || *precision == Precision::fixed) continue;
    const Parameter* weight = source_parameter(uses, graph.nodes[i].inputs.at(1));
    // A weight that is computed has no place; such layers come last, in the order of computation.
    layers.push_back(
        {weight ? places.at(static_cast<size_t>(weight->value)) : graph.state.size(), i});
  }
  std::ranges::sort(layers);
  std::vector<size_t> nodes;
  for (const Layer& layer : layers) nodes.push_back(layer.node);
  return nodes;
}

}  // namespace lowbit::graph
