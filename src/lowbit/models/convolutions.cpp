#include "lowbit/models/convolutions.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace lowbit::models {

std::string format_convolutions(const graph::Graph& graph) {
  std::string lines;
  for (const graph::Node& node : graph.nodes) {
    const auto* conv = std::get_if<graph::Convolution>(&node.operation);
    if (!conv) continue;
    const graph::Dims &input = graph.value(node.inputs[0]).type.dims,
                      &weight = graph.value(node.inputs[1]).type.dims;
    lines += fmt::format(
        "{} input [1, {}] weight [{}] kernel {}x{} stride {} padding {} dilation {} groups {}\n",
        graph.name_of(node), fmt::join(input, ", "), fmt::join(weight, ", "), weight[2], weight[3],
        conv->stride.height, conv->padding.top, conv->dilation.height, conv->groups);
  }
  return lines;
}

}  // namespace lowbit::models
