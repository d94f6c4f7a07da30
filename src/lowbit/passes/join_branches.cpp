#include "lowbit/passes/join_branches.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "lowbit/graph/module_tree.h"
#include "lowbit/graph/operation_table.h"
#include "lowbit/graph/verify.h"

namespace lowbit::passes {
namespace {

using graph::Graph;
using graph::Node;
using graph::ValueId;

using IsFixedFunction = std::function<bool(const graph::Quantize&)>;
// A value of each branch.
using Tuple = std::vector<ValueId>;

bool all_same(const Tuple& tuple) {
  return std::ranges::all_of(tuple, [&](ValueId id) { return id == tuple.front(); });
}

template <class Op>
const Op* operation(const Node* node) {
  return node ? std::get_if<Op>(&node->operation) : nullptr;
}

bool is_arithmetic(const Node* node, graph::Arithmetic kind) {
  const auto* binary = operation<graph::Binary>(node);
  return binary && binary->kind == kind;
}

// Branches that can be joined, and all that is in them.
struct Group {
  const Node* sum = nullptr;  // the last node
  Tuple outputs{}, scales{};
  std::set<const Node*> nodes{};  // with the products and sums
  std::set<ValueId> parameters{};
};

class GroupFinder {
 public:
  GroupFinder(const Graph& graph, const graph::Uses& uses, const IsFixedFunction& is_fixed_function)
      : graph_(graph), uses_(uses), is_fixed_function_(is_fixed_function) {}

  std::optional<Group> group_that_ends_in(const Node& node) {
    group_ = {.sum = &node};
    joined_.clear();
    if (!add_terms(node.output) || group_.outputs.size() < 2) return std::nullopt;
    if (!can_join(group_.outputs)) return std::nullopt;
    const auto is_inside = [this](const Node* reader) { return group_.nodes.contains(reader); };
    for (const Node* inner : group_.nodes)
      if (inner != &node && (inner->output == graph_.output ||
                             !std::ranges::all_of(uses_.readers(inner->output), is_inside)))
        return std::nullopt;
    return group_;
  }

 private:
  // Of a sum of products of features with a number.
  bool add_terms(ValueId sum) {
    const Node* node = uses_.producer(sum);
    if (!node || !group_.nodes.insert(node).second) return false;
    if (is_arithmetic(node, graph::Arithmetic::add))
      return add_terms(node->inputs[0]) && add_terms(node->inputs[1]);
    if (!is_arithmetic(node, graph::Arithmetic::multiply)) return false;
    const graph::Parameter* scale = uses_.parameter(node->inputs[1]);
    if (!scale || graph_.value(scale->value).type.dims != graph::Dims{1}) return false;
    group_.outputs.push_back(node->inputs[0]);
    group_.scales.push_back(scale->value);
    return group_.parameters.insert(scale->value).second;
  }

  bool can_join(const Tuple& values) {
    if (all_same(values) || !joined_.insert(values).second) return true;
    std::vector<const Node*> nodes;
    for (const ValueId id : values) {
      const Node* node = uses_.producer(id);
      if (!node || !graph_.value(id).type.batched || !group_.nodes.insert(node).second)
        return false;
      if (!nodes.empty() && !(node->operation == nodes.front()->operation &&
                              node->inputs.size() == nodes.front()->inputs.size() &&
                              have_same_dims(id, values.front())))
        return false;
      nodes.push_back(node);
    }
    const Node& first = *nodes.front();
    const auto input = [&nodes](size_t place) {
      Tuple tuple;
      for (const Node* node : nodes) tuple.push_back(node->inputs[place]);
      return tuple;
    };
    if (const auto* conv = operation<graph::Convolution>(&first))
      return conv->groups == 1 && first.inputs.size() == 2 && can_join(input(0)) &&
             have_same_dims(input(1));
    if (const auto* quantize = operation<graph::Quantize>(&first))
      return is_fixed_function_(*quantize) && can_join(input(0));
    if (operation<graph::BatchNorm>(&first)) {
      for (size_t place = 1; place < first.inputs.size(); ++place)
        for (const ValueId id : input(place))
          if (!uses_.parameter(id) || !group_.parameters.insert(id).second) return false;
      return can_join(input(0));
    }
    if (is_arithmetic(&first, graph::Arithmetic::add))
      return can_join(input(0)) && can_join(input(1));
    const bool pointwise = operation<graph::Relu>(&first) || operation<graph::Clip>(&first) ||
                           operation<graph::LeakyRelu>(&first) || operation<graph::Pad>(&first);
    return pointwise && can_join(input(0));
  }

  bool have_same_dims(ValueId a, ValueId b) const {
    return graph_.value(a).type.dims == graph_.value(b).type.dims;
  }
  bool have_same_dims(const Tuple& values) const {
    return std::ranges::all_of(values,
                               [&](ValueId id) { return have_same_dims(id, values.front()); });
  }

  const Graph& graph_;
  const graph::Uses& uses_;
  const IsFixedFunction& is_fixed_function_;
  Group group_;
  std::set<Tuple> joined_;
};

std::vector<std::string> parts_of(const std::string& name) {
  std::vector<std::string> parts(1);
  for (const char c : name)
    if (c == '.')
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

// "a.b.c" of a.b.0.c, a.b.1.c, ...
std::string shared_name(const std::vector<std::string>& names) {
  std::vector<std::string> shared = parts_of(names.front());
  std::vector<bool> differs(shared.size());
  for (const std::string& name : names) {
    const std::vector<std::string> parts = parts_of(name);
    for (size_t i = 0; i < shared.size(); ++i)
      if (i >= parts.size() || parts[i] != shared[i]) differs[i] = true;
  }
  std::string result;
  for (size_t i = 0; i < shared.size(); ++i)
    if (!differs[i]) result += (result.empty() ? "" : ".") + shared[i];
  return result;
}

// Writes the graph anew.
class Joiner {
 public:
  Joiner(const Graph& old, const graph::Uses& uses, const std::vector<Group>& groups)
      : old_(old), uses_(uses), present_(old.values.size()) {
    for (const Group& group : groups) {
      groups_[group.sum] = &group;
      nodes_.insert(group.nodes.begin(), group.nodes.end());
      parameters_.insert(group.parameters.begin(), group.parameters.end());
    }
    for (const graph::Value& value : old.values) names_.insert(value.name);
  }

  JoinedBranches run() {
    to_.name = old_.name;
    to_.input = copy_value(old_.input);
    for (const graph::Parameter& parameter : old_.parameters)
      if (!parameters_.contains(parameter.value))
        to_.parameters.push_back({copy_value(parameter.value), parameter.role, parameter.init});
    for (const Node& node : old_.nodes) {
      if (const auto group = groups_.find(&node); group != groups_.end()) {
        add_group(*group->second);
      } else if (!nodes_.contains(&node)) {
        std::vector<ValueId> inputs;
        for (const ValueId id : node.inputs) inputs.push_back(present(id));
        to_.nodes.push_back({node.operation, std::move(inputs), copy_value(node.output)});
      }
    }
    to_.output = present(old_.output);
    place_in_state();
    graph::verify(to_);
    result_.graph = std::move(to_);
    return std::move(result_);
  }

 private:
  // The features of all branches: one value that they share, or those of each as channels.
  struct Features {
    ValueId value{};
    bool shared = true;
  };

  ValueId present(ValueId id) const { return present_[static_cast<size_t>(id)].value(); }
  ValueId copy_value(ValueId id) {
    const graph::Value& value = old_.value(id);
    return present_[static_cast<size_t>(id)].emplace(to_.add_value(value.name, value.type));
  }

  std::vector<std::string> names(const Tuple& values) const {
    std::vector<std::string> result;
    for (const ValueId id : values) result.push_back(old_.value(id).name);
    return result;
  }

  std::string unused(std::string name) {
    while (!names_.insert(name).second) name += "_joined";
    return name;
  }

  ValueId add_node(const std::string& name, const graph::Operation& operation,
                   const std::vector<ValueId>& inputs) {
    std::vector<graph::Operand> operands;
    for (const ValueId id : inputs) {
      const graph::Parameter* parameter = to_.parameter_of(id);
      operands.push_back(
          {to_.value(id).type, parameter ? std::optional(parameter->role) : std::nullopt});
    }
    const ValueId output = to_.add_value(name, infer(name, operation, operands));
    to_.nodes.push_back({operation, inputs, output});
    return output;
  }

  ValueId add_parameter(const Tuple& parts) {
    const graph::Parameter& first = *uses_.parameter(parts.front());
    graph::Type type = old_.value(first.value).type;
    type.dims[0] *= static_cast<int64_t>(parts.size());
    const ValueId id = to_.add_value(unused(shared_name(names(parts))), type);
    to_.parameters.push_back({id, first.role, first.init});
    result_.parameters.push_back({to_.value(id).name, names(parts)});
    joined_parameters_[first.value] = id;
    return id;
  }

  ValueId repeated(const std::string& name, const Features& features, size_t times) {
    if (!features.shared) return features.value;
    return add_node(unused(name + ".repeated"), graph::Concat{.axis = 0},
                    std::vector<ValueId>(times, features.value));
  }

  void add_group(const Group& group) {
    joined_.clear();
    const Features features = join(group.outputs);
    const ValueId x = repeated(old_.name_of(*group.sum), features, group.outputs.size());
    const ValueId scales = add_parameter(group.scales);
    present_[static_cast<size_t>(group.sum->output)] =
        add_node(old_.name_of(*group.sum), graph::ScaledSum{}, {x, scales});
  }

  Features join(const Tuple& values) {
    if (all_same(values)) return {present(values.front()), true};
    if (const auto known = joined_.find(values); known != joined_.end()) return known->second;
    const Features features = join_nodes(values);
    joined_[values] = features;
    const int64_t channels = old_.value(values.front()).type.dims[0];
    for (size_t k = 0; k < values.size(); ++k) {
      JoinedPart part{.value = to_.value(features.value).name};
      if (!features.shared) part = {part.value, static_cast<int64_t>(k) * channels, channels};
      result_.parts[old_.value(values[k]).name] = part;
    }
    return features;
  }

  Features join_nodes(const Tuple& values) {
    const Node& first = *uses_.producer(values.front());
    const size_t count = values.size();
    const auto input = [&](size_t place) {
      Tuple tuple;
      for (const ValueId id : values) tuple.push_back(uses_.producer(id)->inputs[place]);
      return tuple;
    };
    const Features x = join(input(0));
    if (auto quantize = first.operation; auto* op = std::get_if<graph::Quantize>(&quantize)) {
      // By its name a quantizer is known.
      op->shape[1] = to_.value(x.value).type.dims[0];
      return {add_node(old_.name_of(first), quantize, {x.value}), x.shared};
    }
    const std::string name = unused(shared_name(names(values)));
    if (const auto* conv = operation<graph::Convolution>(&first)) {
      graph::Convolution joined = *conv;
      joined.groups = x.shared ? 1 : static_cast<int64_t>(count);
      std::vector<ValueId> weights;
      for (const ValueId id : input(1)) weights.push_back(present(id));
      const ValueId weight =
          add_node(unused(shared_name(names(input(1)))), graph::Concat{.axis = 0}, weights);
      return {add_node(name, joined, {x.value, weight}), false};
    }
    if (operation<graph::BatchNorm>(&first)) {
      std::vector<ValueId> inputs = {repeated(name, x, count)};
      // The parts count their batches themselves.
      constexpr size_t kCounter = 5;
      for (size_t place = 1; place < kCounter; ++place)
        inputs.push_back(add_parameter(input(place)));
      return {add_node(name, first.operation, inputs), false};
    }
    if (operation<graph::Binary>(&first)) {
      const Features other = join(input(1));
      if (x.shared && other.shared)
        return {add_node(name, first.operation, {x.value, other.value}), true};
      return {
          add_node(name, first.operation, {repeated(name, x, count), repeated(name, other, count)}),
          false};
    }
    return {add_node(name, first.operation, {x.value}), x.shared};
  }

  void place_in_state() {
    graph::ModuleTree tree;
    std::map<std::string, ValueId> outputs;
    for (const Node& node : to_.nodes) outputs[to_.name_of(node)] = node.output;
    for (const ValueId id : old_.state) {
      const std::string& name = old_.value(id).name;
      if (const graph::Parameter* parameter = uses_.parameter(id)) {
        const auto joined = joined_parameters_.find(id);
        if (joined == joined_parameters_.end() && parameters_.contains(id)) continue;
        const ValueId entry = joined == joined_parameters_.end() ? present(id) : joined->second;
        tree.add_entry(to_.value(entry).name, entry, is_buffer(parameter->role));
      } else if (const auto quantizer = outputs.find(name); quantizer != outputs.end()) {
        tree.add_stateful(name, quantizer->second);
      }
    }
    to_.state = tree.order();
  }

  const Graph& old_;
  const graph::Uses& uses_;
  std::map<const Node*, const Group*> groups_;  // by their last node
  std::set<const Node*> nodes_;                 // of all groups
  std::set<ValueId> parameters_;                // likewise
  Graph to_;
  JoinedBranches result_;
  std::vector<std::optional<ValueId>> present_;   // in the new graph, by ValueId
  std::map<ValueId, ValueId> joined_parameters_;  // by the first part
  std::map<Tuple, Features> joined_;              // of the present group
  std::set<std::string> names_;
};

}  // namespace

JoinedBranches join_branches(const Graph& graph, const IsFixedFunction& is_fixed_function) {
  const graph::Uses uses(graph);
  GroupFinder finder(graph, uses, is_fixed_function);
  std::vector<Group> groups;
  // From the end on: of a sum of three branches that of the first two is a part.
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    const bool known = std::ranges::any_of(
        groups, [&](const Group& group) { return group.nodes.contains(&*node); });
    if (known || !is_arithmetic(&*node, graph::Arithmetic::add)) continue;
    if (auto group = finder.group_that_ends_in(*node)) groups.push_back(*std::move(group));
  }
  if (groups.empty()) return {.graph = graph, .parameters = {}, .parts = {}};
  return Joiner(graph, uses, groups).run();
}

}  // namespace lowbit::passes
