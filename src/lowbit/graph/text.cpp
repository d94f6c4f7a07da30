#include "lowbit/graph/text.h"

#include "lowbit/graph/dims_text.h"
#include "lowbit/graph/operation_table.h"

namespace lowbit::graph {
namespace {

// An input as the node's line has it; "": it is left out.
std::string input_text(const Graph& graph, const Uses& uses, const Node& node, size_t index) {
  const ValueId id = node.inputs[index];
  const Value& value = graph.value(id);
  const Parameter* parameter = uses.parameter(id);
  if (!parameter) return value.name;
  const std::string& layer = graph.name_of(node);
  const bool own = value.name.starts_with(layer + ".");
  const std::string name = own ? value.name.substr(layer.size() + 1) : value.name;
  if (own && is_buffer(parameter->role) && name == input_rule(row_of(node.operation), index).name)
    return "";
  return value.type.dims.size() > 1 ? name + dims_text(value.type.dims) : name;
}

std::string role_text(Role role) {
  switch (role) {
    case Role::trained:
      break;
    case Role::frozen:
      return " frozen";
    case Role::statistics:
      return " statistics";
    case Role::counter:
      return " counter";
  }
  return "";
}

std::string init_text(const Init& init) {
  const std::string times = init.factor == 1 ? "" : fmt::format(" times {:.6g}", init.factor);
  switch (init.kind) {
    case Init::Kind::kaiming_normal:
      return "kaiming_normal" + times;
    case Init::Kind::uniform:
      return fmt::format("uniform {:.6g}{}", init.value, times);
    case Init::Kind::constant:
      break;
  }
  return fmt::format("{:g}{}", init.value, times);
}

std::string state_text(const Graph& graph, const Uses& uses) {
  std::string text = "state\n";
  for (const ValueId id : graph.state) {
    const Value& value = graph.value(id);
    if (const Parameter* parameter = uses.parameter(id))
      text += fmt::format("{} {} = {}{}\n", value.name, dims_text(value.type.dims),
                          init_text(parameter->init), role_text(parameter->role));
    else
      text += fmt::format("{} : {}\n", value.name, operation_name(uses.producer(id)->operation));
  }
  return text;
}

}  // namespace

std::string node_text(const Graph& graph, const Uses& uses, const Node& node) {
  std::vector<std::string> inputs;
  for (size_t i = 0; i < node.inputs.size(); ++i)
    if (std::string text = input_text(graph, uses, node, i); !text.empty())
      inputs.push_back(std::move(text));
  return fmt::format("{}({}){}", operation_name(node.operation), fmt::join(inputs, ", "),
                     row_of(node.operation).attributes(node.operation));
}

std::string to_text(const Graph& graph, const TextOptions& options) {
  const Uses uses(graph);
  const Value& input = graph.value(graph.input);
  std::string text =
      fmt::format("graph {}\n{} : {}\n", graph.name, input.name, dims_text(input.type.dims));
  for (const Node& node : graph.nodes)
    text +=
        fmt::format("{} : {} = {}\n", graph.name_of(node),
                    dims_text(graph.value(node.output).type.dims), node_text(graph, uses, node));
  text += fmt::format("return {}\n", graph.value(graph.output).name);
  return options.state ? text + state_text(graph, uses) : text;
}

}  // namespace lowbit::graph
