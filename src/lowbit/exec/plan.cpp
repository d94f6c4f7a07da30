#include "lowbit/exec/plan.h"

#include <algorithm>
#include <map>
#include <string>

#include "lowbit/passes/join_branches.h"

namespace lowbit::exec {
namespace {

using graph::Graph;
using graph::Node;
using graph::ValueId;

template <class Op>
const Op* operation(const Node& node) {
  return std::get_if<Op>(&node.operation);
}

bool is_sum(const Node& node) {
  const auto* binary = operation<graph::Binary>(node);
  return binary && binary->kind == graph::Arithmetic::add;
}

bool is_repetition(const Node& node) {
  return operation<graph::Concat>(node) && node.inputs.size() > 1 &&
         std::ranges::all_of(node.inputs, [&](ValueId id) { return id == node.inputs.front(); });
}

class StepMaker {
 public:
  // is_added(node): whether joining the branches has added it.
  template <class IsAdded>
  StepMaker(const Graph& graph, IsAdded is_added)
      : graph_(graph), uses_(graph), taken_(graph.nodes.size()), chains_(graph.nodes.size()) {
    for (size_t i = 0; i < graph.nodes.size(); ++i)
      if (is_repetition(graph.nodes[i]) && is_added(graph.nodes[i])) take(repetition_from(i));
    for (size_t i = 0; i < graph.nodes.size(); ++i)
      if (operation<graph::BatchNorm>(graph.nodes[i])) take(norm_from(i));
  }

  std::vector<Step> steps() const {
    std::vector<Step> steps;
    // A chain runs in the place of its last node, when all of its inputs have been computed.
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (chains_[i].empty() && taken_[i]) continue;
      steps.push_back(
          {.nodes = chains_[i].empty() ? std::vector{i} : chains_[i], .seen = {}, .last_read = {}});
    }
    return steps;
  }

 private:
  void take(const std::vector<size_t>& chain) {
    if (chain.size() < 2) return;
    for (const size_t node : chain) taken_[node] = true;
    chains_[chain.back()] = chain;
  }

  // The one node that reads what node `i` gives; nothing: there is another, or it is taken.
  std::optional<size_t> only_reader(size_t i) const {
    const ValueId output = graph_.nodes[i].output;
    const std::vector<const Node*>& readers = uses_.readers(output);
    if (readers.size() != 1 || output == graph_.output) return std::nullopt;
    const auto reader = static_cast<size_t>(readers.front() - graph_.nodes.data());
    return taken_[reader] ? std::nullopt : std::optional(reader);
  }

  template <class Fits>
  bool extend(std::vector<size_t>& chain, Fits fits) const {
    const std::optional<size_t> next = only_reader(chain.back());
    if (!next || !fits(graph_.nodes[*next])) return false;
    chain.push_back(*next);
    return true;
  }

  std::vector<size_t> repetition_from(size_t i) const {
    std::vector<size_t> chain = {i};
    extend(chain, [this](const Node& node) {
      return is_sum(node) && graph_.value(node.inputs[0]).type == graph_.value(node.inputs[1]).type;
    });
    return chain;
  }

  std::vector<size_t> norm_from(size_t i) const {
    const auto is_activation = [](const Node& node) {
      const auto* clip = operation<graph::Clip>(node);
      return operation<graph::Relu>(node) || (clip && *clip == graph::Clip{.low = 0, .high = 6});
    };
    std::vector<size_t> chain = {i};
    if (extend(chain, is_sum)) {
      // A pass would have to copy the gradient of a sum alone, which is that of both summands.
      if (!extend(chain, is_activation)) chain.pop_back();
      return chain;
    }
    extend(chain, is_activation);
    extend(chain, [](const Node& node) {
      const auto* quantize = operation<graph::Quantize>(node);
      return quantize && quantize->tag == config::Tag::fm;
    });
    return chain;
  }

  const Graph& graph_;
  const graph::Uses uses_;
  std::vector<bool> taken_;
  std::vector<std::vector<size_t>> chains_;  // by the last node of a chain: the chain
};

}  // namespace

Plan::Plan(const Graph& graph, const std::function<bool(const graph::Quantize&)>& is_fixed_function)
    : places(graph.values.size()) {
  passes::JoinedBranches branches = passes::join_branches(graph, is_fixed_function);
  joined = std::move(branches.graph);
  std::map<std::string, ValueId> before, after;
  for (size_t i = 0; i < graph.values.size(); ++i)
    before[graph.values[i].name] = static_cast<ValueId>(i);
  for (size_t i = 0; i < joined.values.size(); ++i)
    after[joined.values[i].name] = static_cast<ValueId>(i);
  steps = StepMaker(joined, [&](const Node& node) {
            return !before.contains(joined.name_of(node));
          }).steps();
  for (const auto& [name, id] : before) {
    if (const auto part = branches.parts.find(name); part != branches.parts.end())
      places[index(id)] = {after.at(part->second.value), part->second.begin, part->second.channels};
    else if (const auto same = after.find(name); same != after.end())
      places[index(id)] = {same->second, 0, 0};
  }
  parts.resize(joined.values.size());
  for (const passes::JoinedParameter& parameter : branches.parameters)
    for (const std::string& part : parameter.parts)
      parts[index(after.at(parameter.name))].push_back(before.at(part));
  for (const graph::Parameter& parameter : joined.parameters)
    if (auto& of = parts[index(parameter.value)]; of.empty())
      of = {before.at(joined.value(parameter.value).name)};

  std::vector<size_t> computed(joined.values.size()), last(joined.values.size(), SIZE_MAX);
  for (size_t i = 0; i < steps.size(); ++i)
    for (const size_t node : steps[i].nodes) {
      computed[index(joined.nodes[node].output)] = i;
      for (const ValueId id : joined.nodes[node].inputs) last[index(id)] = i;
    }
  // A node that is not computed is seen once its inputs are there.
  std::vector<size_t> seen_in(graph.values.size());
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    size_t& step = seen_in[index(node.output)];
    if (const auto& place = places[index(node.output)])
      step = computed[index(place->value)];
    else
      for (const ValueId id : node.inputs) step = std::max(step, seen_in[index(id)]);
    steps[step].seen.push_back(i);
    for (const ValueId id : node.inputs)
      if (const auto& place = places[index(id)])
        last[index(place->value)] = std::max(last[index(place->value)], step);
  }
  for (size_t id = 0; id < last.size(); ++id)
    if (last[id] != SIZE_MAX && parts[id].empty() && id != index(joined.output))
      steps[last[id]].last_read.push_back(static_cast<ValueId>(id));
}

}  // namespace lowbit::exec
