// A trained network as it is lowered: a graph whose norms are folded, and its numbers.
#pragma once

#include <torch/types.h>

#include <unordered_map>
#include <vector>

#include "lowbit/exec/graph_module.h"
#include "lowbit/graph/graph.h"
#include "lowbit/passes/fold_norms.h"
#include "lowbit/quant/lowering.h"

namespace lowbit::deploy {

class TrainedGraph {
 public:
  // Runs `network` once in evaluation mode on calibration images [B, 3, H, W], float32 on the CPU,
  // as they come out of the normalization. The network keeps its mode. An Error (failure) names the
  // first node, in the order of computation, whose quantizer has levels that are not finite or too
  // small for float32, or whose result is not finite.
  TrainedGraph(exec::GraphModule& network, const torch::Tensor& images);

  // Batch norms are factors and shifts of channels (passes::fold_norms).
  const graph::Graph& graph() const { return graph_; }

  // The numbers of a parameter, of what nodes compute of parameters alone, of the features
  // [B, ...] that a layer in full precision reads, and of the output. No others are kept.
  const torch::Tensor& numbers(graph::ValueId id) const {
    return numbers_.at(static_cast<size_t>(id));
  }
  // The quantizer whose result the value is, for the input that it had.
  const quant::Lowering& quantizer(graph::ValueId id) const { return quantizers_.at(id); }

 private:
  void run(exec::GraphModule& network, const torch::Tensor& images);
  void add_folded(const passes::FoldedNorm& norm);

  graph::Graph graph_;
  std::vector<torch::Tensor> numbers_;  // by ValueId
  std::unordered_map<graph::ValueId, quant::Lowering> quantizers_;
};

}  // namespace lowbit::deploy
