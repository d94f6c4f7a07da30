#include "lowbit/graph/verify.h"

#include <set>

#include "lowbit/core/error.h"
#include "lowbit/graph/dims_text.h"
#include "lowbit/graph/module_tree.h"
#include "lowbit/graph/operation_table.h"

namespace lowbit::graph {
namespace {

class Verifier {
 public:
  explicit Verifier(const Graph& graph)
      : graph_(graph), defined_(graph.values.size()), roles_(graph.values.size()) {}

  void run() {
    check_names();
    check_input();
    for (const Parameter& parameter : graph_.parameters) check_parameter(parameter);
    if (graph_.nodes.size() > kMaxNodes)
      throw core::usage_error("it has {} nodes, more than {}", graph_.nodes.size(), kMaxNodes);
    for (size_t i = 0; i < graph_.nodes.size(); ++i) check_node(i);
    check_values_are_defined();
    check_output();
    check_state();
  }

 private:
  bool exists(ValueId id) const {
    return static_cast<int32_t>(id) >= 0 && static_cast<size_t>(id) < graph_.values.size();
  }
  const std::string& name(ValueId id) const { return graph_.value(id).name; }
  bool is_defined(ValueId id) const { return defined_[static_cast<size_t>(id)]; }
  void define(ValueId id) { defined_[static_cast<size_t>(id)] = true; }

  void check_names() const {
    std::set<std::string_view> names;
    for (const Value& value : graph_.values) {
      const std::string& text = value.name;
      if (text.empty()) throw core::usage_error("a value has no name");
      if (text.size() > kMaxName)
        throw core::usage_error("the name '{}...' has {} characters, more than {}",
                                text.substr(0, 40), text.size(), kMaxName);
      const auto unprintable = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
      if (std::ranges::any_of(text, unprintable))
        throw core::usage_error("the name '{}' has control characters", text);
      if (!names.insert(text).second) throw core::usage_error("there are two values '{}'", text);
    }
  }

  void check_input() {
    if (!exists(graph_.input)) throw core::usage_error("its input is no value");
    const Type& type = graph_.value(graph_.input).type;
    check_sizes("input", name(graph_.input), type.dims);
    if (!type.batched) throw core::usage_error("its input '{}' is not batched", name(graph_.input));
    define(graph_.input);
  }

  static void check_sizes(const char* what, const std::string& name, const Dims& dims) {
    try {
      check_dims(dims);
    } catch (const core::Error& error) {
      throw core::usage_error("{} '{}': {}", what, name, error.what());
    }
  }

  void check_parameter(const Parameter& parameter) {
    if (!exists(parameter.value)) throw core::usage_error("a parameter is no value");
    const std::string& text = name(parameter.value);
    if (is_defined(parameter.value))
      throw core::usage_error("parameter '{}' is defined twice", text);
    const Type& type = graph_.value(parameter.value).type;
    check_sizes("parameter", text, type.dims);
    if (type.batched) throw core::usage_error("parameter '{}' is batched", text);
    if (parameter.role == Role::counter && !type.dims.empty())
      throw core::usage_error("counter '{}' is {}, not a scalar", text, dims_text(type.dims));
    if (parameter.init.kind == Init::Kind::kaiming_normal && type.dims.size() < 2)
      throw core::usage_error("parameter '{}' is {}: a Kaiming-normal start needs two axes", text,
                              dims_text(type.dims));
    define(parameter.value);
    roles_.at(static_cast<size_t>(parameter.value)) = parameter.role;
  }

  void check_node(size_t index) {
    const Node& node = graph_.nodes[index];
    if (!exists(node.output)) throw core::usage_error("node {} has no output", index);
    const std::string& text = name(node.output);
    std::vector<Operand> operands;
    for (const ValueId input : node.inputs) {
      if (!exists(input)) throw core::usage_error("node '{}' reads a value that is none", text);
      if (!is_defined(input))
        throw core::usage_error("node '{}' reads '{}', which is not computed before it", text,
                                name(input));
      operands.push_back({graph_.value(input).type, roles_[static_cast<size_t>(input)]});
    }
    if (is_defined(node.output)) throw core::usage_error("'{}' is defined twice", text);
    define(node.output);
    const Type type = infer(text, node.operation, operands);
    const Type& stated = graph_.value(node.output).type;
    if (type.dims != stated.dims)
      throw core::usage_error("node '{}' gives {}, its value is stated as {}", text,
                              dims_text(type.dims), dims_text(stated.dims));
    if (type.batched != stated.batched)
      throw core::usage_error("node '{}' is stated as {}", text,
                              stated.batched ? "features" : "a parameter");
  }

  void check_values_are_defined() const {
    for (size_t i = 0; i < graph_.values.size(); ++i)
      if (!defined_[i])
        throw core::usage_error("nothing computes the value '{}'", graph_.values[i].name);
  }

  void check_output() const {
    if (!exists(graph_.output)) throw core::usage_error("its output is no value");
    if (!graph_.value(graph_.output).type.batched)
      throw core::usage_error("its output '{}' is a parameter", name(graph_.output));
  }

  // What has a place in the state: by ValueId.
  std::vector<bool> stateful_values() const {
    std::vector<bool> stateful(graph_.values.size());
    for (const Parameter& parameter : graph_.parameters)
      stateful[static_cast<size_t>(parameter.value)] = true;
    for (const Node& node : graph_.nodes)
      if (row_of(node.operation).has_state) stateful[static_cast<size_t>(node.output)] = true;
    return stateful;
  }

  static void check_dotted(const std::string& text) {
    if (text.starts_with('.') || text.ends_with('.') || text.find("..") != std::string::npos)
      throw core::usage_error("the name '{}' has an empty part", text);
  }

  void check_state() const {
    std::vector<bool> waiting = stateful_values();
    ModuleTree tree;
    for (const ValueId id : graph_.state) {
      if (!exists(id)) throw core::usage_error("an entry of the state is no value");
      const auto index = static_cast<size_t>(id);
      if (!waiting[index])
        throw core::usage_error("'{}' is in the state twice, or has none", name(id));
      waiting[index] = false;
      check_dotted(name(id));
      if (roles_[index])
        tree.add_entry(name(id), id, is_buffer(*roles_[index]));
      else
        tree.add_stateful(name(id), id);
    }
    for (size_t i = 0; i < waiting.size(); ++i)
      if (waiting[i]) throw core::usage_error("'{}' is not in the state", graph_.values[i].name);
    if (const std::string both = tree.ambiguous_name(); !both.empty())
      throw core::usage_error("'{}' is both a parameter and a module", both);
    const std::vector<ValueId> order = tree.order();
    for (size_t i = 0; i < order.size(); ++i)
      if (order[i] != graph_.state[i])
        throw core::usage_error("the state has '{}' where nested modules have '{}'",
                                name(graph_.state[i]), name(order[i]));
  }

  const Graph& graph_;
  std::vector<bool> defined_;
  std::vector<std::optional<Role>> roles_;
};

}  // namespace

void verify(const Graph& graph) {
  try {
    Verifier(graph).run();
  } catch (const core::Error& error) {
    throw core::usage_error("graph '{}': {}", graph.name, error.what());
  }
}

}  // namespace lowbit::graph
