#include "lowbit/passes/fold_norms.h"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "lowbit/graph/verify.h"
#include "lowbit/passes/checkpoint_order.h"

namespace lowbit::passes {
namespace {

using graph::Arithmetic;
using graph::BatchNorm;
using graph::Binary;
using graph::Graph;
using graph::Node;
using graph::ValueId;

class NormFolder {
 public:
  explicit NormFolder(Graph graph) : graph_(std::move(graph)) {
    for (const graph::Value& value : graph_.values) names_.insert(value.name);
  }

  FoldedNorms run() {
    std::vector<Node> old = std::exchange(graph_.nodes, {});
    for (Node& node : old)
      if (const auto* norm = std::get_if<BatchNorm>(&node.operation))
        fold(node, *norm);
      else
        graph_.nodes.push_back(std::move(node));
    graph_.state = checkpoint_order(graph_, graph_.state);
    verify(graph_);
    return {std::move(graph_), std::move(norms_)};
  }

 private:
  std::string unused_name(const std::string& wanted) {
    std::string name = wanted;
    for (int i = 1; !names_.insert(name).second; ++i) name = fmt::format("{}_{}", wanted, i);
    return name;
  }

  ValueId add_parameter(const std::string& name, const graph::Dims& dims) {
    const ValueId id = graph_.add_value(unused_name(name), {dims, /*batched=*/false});
    graph_.parameters.push_back({id, graph::Role::frozen, {}});
    graph_.state.push_back(id);
    return id;
  }

  void fold(const Node& node, const BatchNorm& norm) {
    const std::string name = graph_.name_of(node);
    const graph::Type type = graph_.value(node.output).type;
    graph::Dims channels(type.dims.size(), 1);
    channels[0] = type.dims[0];
    const ValueId factor = add_parameter(name + ".factor", channels),
                  shift = add_parameter(name + ".shift", channels);
    const ValueId scaled = graph_.add_value(unused_name(name + ".scaled"), type);
    graph_.nodes.push_back({Binary{Arithmetic::multiply}, {node.inputs[0], factor}, scaled});
    graph_.nodes.push_back({Binary{Arithmetic::add}, {scaled, shift}, node.output});
    norms_.push_back({.weight = node.inputs[1],
                      .bias = node.inputs[2],
                      .mean = node.inputs[3],
                      .var = node.inputs[4],
                      .eps = norm.eps,
                      .affine_first = norm.affine_first,
                      .factor = factor,
                      .shift = shift});
  }

  Graph graph_;
  std::set<std::string> names_;
  std::vector<FoldedNorm> norms_;
};

}  // namespace

FoldedNorms fold_norms(Graph graph) {
  return NormFolder(std::move(graph)).run();
}

}  // namespace lowbit::passes
