#include "lowbit/models/summary.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "lowbit/core/table.h"

namespace lowbit::models {
namespace {

constexpr char kTimes = 'x';  // between the sizes of a shape

int64_t product(const std::vector<int64_t>& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), int64_t{1}, std::multiplies<>());
}

LayerSummary summary_of(const Network& network, const graph::Node& layer,
                        const graph::Parameter& weight) {
  const graph::Graph& graph = network.structure();
  const auto dims = [&](graph::ValueId id) { return graph.value(id).type.dims; };
  LayerSummary result{};
  result.name = graph.name_of(layer);
  result.input = dims(layer.inputs[0]);
  result.output = dims(layer.output);
  result.weight = dims(weight.value);
  result.kind = "linear";
  result.stride = 1;
  if (const auto* conv = std::get_if<graph::Convolution>(&layer.operation)) {
    result.kind = conv_kind(conv->groups, result.input[0], result.output[0]);
    result.stride = conv->stride.height;
  }
  const auto bits = [&](config::Tag tag) {
    return bits_of(network.quantizer(passes::quantizer_name(result.name, tag)));
  };
  result.weight_bits = bits(config::Tag::wt);
  result.activation_bits = bits(config::Tag::fm);
  result.parameters = parameter_count(network, result.name + ".");
  // Each output of a channel takes one product with each weight of the channel.
  const int64_t pixels = product(result.output) / result.output.front();
  result.multiply_accumulates = product(result.weight) * pixels;
  return result;
}

std::string layer_table(const std::vector<LayerSummary>& layers) {
  std::vector<core::TableRow> rows = {
      {"layer", "kind", "input", "output", "weight", "stride", "bits", "parameters", "mult-adds"}};
  for (const LayerSummary& layer : layers)
    rows.push_back({layer.name, layer.kind, shape_text(layer.input), shape_text(layer.output),
                    shape_text(layer.weight), std::to_string(layer.stride),
                    bits_text(layer.weight_bits, layer.activation_bits),
                    std::to_string(layer.parameters), std::to_string(layer.multiply_accumulates)});
  return core::format_table(rows, 2);
}

std::string parameter_table(const NetworkSummary& summary) {
  const NetworkSize& size = summary.size;
  const double times =
      static_cast<double>(size.float_bytes) / static_cast<double>(size.packed_bytes);
  return core::format_table(
             {{"parameters", ""},
              {"  of the layers above", std::to_string(size.parameters - summary.other_parameters)},
              {"  of norms and others", std::to_string(summary.other_parameters)},
              {"  all", std::to_string(size.parameters)}},
             1) +
         fmt::format("memory: {} as float32, {} packed ({:.1f} times smaller)\n",
                     bytes_text(size.float_bytes), bytes_text(size.packed_bytes), times);
}

}  // namespace

const char* conv_kind(int64_t groups, int64_t in, int64_t out) {
  if (groups == 1) return "conv";
  return groups == in && groups == out ? "depthwise" : "grouped";
}

std::string shape_text(const std::vector<int64_t>& shape) {
  return fmt::format("{}", fmt::join(shape, std::string(1, kTimes)));
}

std::string bits_text(int64_t weight_bits, int64_t activation_bits) {
  return fmt::format("W{}A{}", weight_bits, activation_bits);
}

std::string format_costs(const Costs& costs) {
  int64_t total = 0;
  for (const auto& [bits, cost] : costs) total += cost;
  std::vector<core::TableRow> rows = {{"multiply-accumulates of an image", "", ""}};
  const auto add = [&](const std::string& name, int64_t cost) {
    const double share = 100 * static_cast<double>(cost) / static_cast<double>(total);
    rows.push_back({"  " + name, std::to_string(cost), fmt::format("{:.2f} %", share)});
  };
  for (const auto& [bits, cost] : costs) add(bits_text(bits.first, bits.second), cost);
  add("all", total);
  return core::format_table(rows, 1);
}

Costs NetworkSummary::multiply_accumulates() const {
  Costs result;
  for (const LayerSummary& layer : layers)
    result[{layer.weight_bits, layer.activation_bits}] += layer.multiply_accumulates;
  return result;
}

NetworkSummary summarize(const Network& network) {
  NetworkSummary result{};
  const graph::Graph& graph = network.structure();
  const graph::Uses uses(graph);
  for (const graph::Node& node : graph.nodes)
    if (precision_of(node.operation))
      result.layers.push_back(summary_of(network, node, *source_parameter(uses, node.inputs[1])));
  result.size = network_size(network);
  result.other_parameters = result.size.parameters;
  for (const LayerSummary& layer : result.layers) result.other_parameters -= layer.parameters;
  return result;
}

std::string format_summary(const NetworkSummary& summary) {
  return layer_table(summary.layers) + "\n" + format_costs(summary.multiply_accumulates()) + "\n" +
         parameter_table(summary);
}

}  // namespace lowbit::models
