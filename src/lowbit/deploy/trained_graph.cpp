#include "lowbit/deploy/trained_graph.h"

#include <algorithm>
#include <cmath>

#include "lowbit/core/error.h"
#include "lowbit/deploy/refusal.h"
#include "lowbit/exec/compute.h"
#include "lowbit/models/evaluation.h"

namespace lowbit::deploy {
namespace {

using graph::Node;
using graph::Quantize;

void require_finite(const graph::Graph& graph, const Node& node, const torch::Tensor& y) {
  if (!y.isfinite().all().item<bool>()) refuse(graph, node, "its result is not finite");
}

// The fault of the levels; "" if nothing. Differences of numbers below the least normal one
// are not kept: everything that is computed of them would be another.
std::string fault_of(const std::vector<float>& levels) {
  const auto [low, high] = std::ranges::minmax(levels);
  const std::string range = fmt::format("its levels, {:.3g} to {:.3g},", low, high);
  for (const float level : levels) {
    if (!std::isfinite(level)) return range + " are not finite";
    if (level != 0 && !std::isnormal(level)) return range + " are too small for float32";
  }
  return "";
}

quant::Lowering usable_lowering(const graph::Graph& graph, const Node& node,
                                const quant::Quantizer& quantizer, const torch::Tensor& x) {
  quant::Lowering lowering;
  try {
    lowering = quantizer.lower(exec::quantizer_input(std::get<Quantize>(node.operation), x));
  } catch (const core::Error& error) {
    refuse(graph, node, error.what());
  }
  for (const quant::StepFunction& group : lowering.groups)
    if (const std::string fault = fault_of(group.levels); !fault.empty())
      refuse(graph, node, fault);
  return lowering;
}

// Whether neither input nor weight of a layer is quantized.
bool is_full_precision(const graph::Uses& uses, const Node& node) {
  const auto is_quantized = [&](graph::ValueId id) {
    const Node* producer = uses.producer(id);
    return producer && std::holds_alternative<Quantize>(producer->operation);
  };
  return precision_of(node.operation) && !is_quantized(node.inputs[0]) &&
         !is_quantized(node.inputs[1]);
}

}  // namespace

TrainedGraph::TrainedGraph(exec::GraphModule& network, const torch::Tensor& images) {
  passes::FoldedNorms folded = passes::fold_norms(network.graph());
  graph_ = std::move(folded.graph);
  numbers_.resize(graph_.values.size());
  const torch::NoGradGuard no_grad;
  run(network, images);
  for (const passes::FoldedNorm& norm : folded.norms) add_folded(norm);
}

void TrainedGraph::run(exec::GraphModule& network, const torch::Tensor& images) {
  const graph::Graph& graph = network.graph();
  const graph::Uses uses(graph);
  const auto numbers = [this](graph::ValueId id) -> torch::Tensor& {
    return numbers_[static_cast<size_t>(id)];
  };
  for (const graph::Parameter& parameter : graph.parameters)
    numbers(parameter.value) = network.tensor(graph.value(parameter.value).name).detach();
  const exec::GraphModule::Probe see = [&](const Node& node, const torch::Tensor& x,
                                           const torch::Tensor& y) {
    if (const quant::Quantizer* quantizer = network.quantizer(graph.name_of(node)))
      quantizers_.emplace(node.output, usable_lowering(graph, node, *quantizer, x));
    require_finite(graph, node, y);
    const bool is_constant = !graph.value(node.output).type.batched;
    if (is_constant || node.output == graph.output) numbers(node.output) = y;
    if (is_full_precision(uses, node)) numbers(node.inputs[0]) = x;
  };
  const models::Evaluation evaluation(network);
  network.run(images, exec::Arithmetic::floats, &see);
}

// The float32 numbers that LibTorch makes of a batch norm's parameters.
void TrainedGraph::add_folded(const passes::FoldedNorm& norm) {
  const torch::Tensor &weight = numbers(norm.weight), &bias = numbers(norm.bias),
                      &mean = numbers(norm.mean);
  const torch::Tensor unit = (numbers(norm.var) + norm.eps).rsqrt();
  const torch::Tensor factor = unit * weight;
  // With one rounding, as LibTorch's kernel is compiled.
  const auto wide = [](const torch::Tensor& x) { return x.to(torch::kFloat64); };
  const torch::Tensor shift = norm.affine_first ? (wide(bias) - wide(mean)) * wide(unit)
                                                : wide(bias) - wide(mean) * wide(factor);
  numbers_[static_cast<size_t>(norm.factor)] = factor;
  numbers_[static_cast<size_t>(norm.shift)] = shift.to(torch::kFloat32);
}

}  // namespace lowbit::deploy
