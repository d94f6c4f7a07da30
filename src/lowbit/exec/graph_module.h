// Runs and trains any graph.
#pragma once

#include <torch/nn/module.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lowbit/exec/arithmetic.h"
#include "lowbit/graph/graph.h"
#include "lowbit/quant/quantizer.h"

namespace lowbit::exec {

// A module with the parameters and buffers of a graph, nested as their dotted names say, so that
// named_parameters() and named_buffers() have the names and the order of checkpoints.
class GraphModule : public torch::nn::Module {
 public:
  // On the CPU, in float32 and training mode. Start values are drawn as the graph says, in the
  // order of its state, from torch's default generator of the CPU (torch::manual_seed). Needs a
  // graph that verify() accepts.
  explicit GraphModule(graph::Graph graph);

  // Sees the name of a node and its value, in the order of computation. Changes no number.
  using Probe = std::function<void(const std::string&, const torch::Tensor&)>;

  // images [B, C, H, W] -> the output of the graph, [B, ...]. The type of the images is that of the
  // arithmetic up to the first Widen: float64 needs a float64 module, float32, float16 and bfloat16
  // one in float32. Counts the pass (iteration, num_batches_tracked) and, in training, updates
  // statistics. Never waits for the device: may be captured as a CUDA graph.
  torch::Tensor forward(const torch::Tensor& images, Arithmetic arithmetic = Arithmetic::floats);

  // The same, not counted, seen by `probe`.
  torch::Tensor run(const torch::Tensor& images, Arithmetic arithmetic, const Probe* probe);

  const graph::Graph& graph() const { return graph_; }
  // In the order of the state.
  const std::vector<quant::Quantizer*>& quantizers() const { return quantizers_; }

  // As in torch::nn::Module, except that integers (counters, codes) stay integers.
  using torch::nn::Module::to;
  void to(torch::Device device, torch::Dtype type, bool non_blocking = false) override;

  // Lays weights of convolutions out as channels-last; images should be then, too.
  void use_channels_last();

 private:
  class Run;

  void register_state();
  void register_parameter_of(const graph::Parameter& parameter);
  // The module with the dotted name, made where it is missing.
  torch::nn::Module& module(const std::string& name);
  void count_forward();

  graph::Graph graph_;
  std::vector<torch::Tensor> tensors_;                       // of parameters, by ValueId
  std::vector<std::shared_ptr<quant::Quantizer>> by_value_;  // of Quantize nodes, by ValueId
  std::vector<quant::Quantizer*> quantizers_;
  std::vector<torch::Tensor> batch_counters_;              // that training advances
  std::map<graph::ValueId, graph::ValueId> features_of_;   // of a layer, by its weight
  std::vector<std::vector<graph::ValueId>> last_read_by_;  // by node: values not read again
};

}  // namespace lowbit::exec
