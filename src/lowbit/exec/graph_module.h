// Runs and trains any graph.
#pragma once

#include <torch/nn/module.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lowbit/exec/arithmetic.h"
#include "lowbit/exec/plan.h"
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

  // Sees a node of graph(), its first input and its value, in the order of computation. Changes no
  // number.
  using Probe =
      std::function<void(const graph::Node&, const torch::Tensor& x, const torch::Tensor& y)>;

  // images [B, C, H, W] -> the output of the graph, [B, ...]. The type of the images is that of the
  // arithmetic up to the first Widen: float64 needs a float64 module, float32, float16 and bfloat16
  // one in float32. Counts the pass (iteration, num_batches_tracked) and, in training, updates
  // statistics. Never waits for the device: may be captured as a CUDA graph.
  torch::Tensor forward(const torch::Tensor& images, Arithmetic arithmetic = Arithmetic::floats);

  // The same, not counted, seen by `probe` (null: by nobody).
  torch::Tensor run(const torch::Tensor& images, Arithmetic arithmetic, const Probe* probe);

  const graph::Graph& graph() const { return graph_; }
  // In the order of the state.
  const std::vector<quant::Quantizer*>& quantizers() const { return quantizers_; }
  // That of the Quantize node of this name; null: there is none.
  quant::Quantizer* quantizer(const std::string& name) const;
  // The parameter or buffer of this name in graph(); undefined: there is none.
  torch::Tensor tensor(const std::string& name) const;

  // The effect of replace_graph.
  struct Change {
    bool replaced = false;               // quantizers and parameters are others now
    std::vector<torch::Tensor> started;  // parameters whose value training did not give
  };
  // Goes on with another graph. Parameters and quantizers of the same names keep their tensors.
  // Where a quantizer's options differ, the same one takes another number of levels if it is
  // progressive and nothing else differs; otherwise a new one takes over what the old one has
  // learned (quant::Quantizer::inherit). Waits for the device. What a quantizer cannot be is an
  // Error (usage).
  Change replace_graph(graph::Graph next);

  // As in torch::nn::Module, except that integers (counters, codes) stay integers.
  using torch::nn::Module::to;
  void to(torch::Device device, torch::Dtype type, bool non_blocking = false) override;

  // Lays weights of convolutions out as channels-last; images should be then, too.
  void use_channels_last();

 private:
  class Run;
  using QuantizerPtr = std::shared_ptr<quant::Quantizer>;

  // Registers the state of the graph: of these, by name, what is among them; the rest starts.
  void take_state(const std::map<std::string, torch::Tensor>& tensors,
                  const std::map<std::string, QuantizerPtr>& quantizers);
  // The quantizer of `next`, where `old` is the present one of the node `before` (null: there is
  // none).
  QuantizerPtr successor(const graph::Quantize& next, const graph::Quantize* before,
                         const QuantizerPtr& old, Change& change) const;
  void make_plan();
  // The module with the dotted name, made where it is missing.
  torch::nn::Module& module(const std::string& name);
  void count_forward();

  graph::Graph graph_;
  std::vector<torch::Tensor> tensors_;  // of parameters, by ValueId
  std::map<std::string, QuantizerPtr> by_name_;
  std::vector<quant::Quantizer*> quantizers_;
  std::vector<torch::Tensor> batch_counters_;  // that training advances

  std::unique_ptr<const Plan> plan_;
  // By ValueId of the joined graph; null: the value has none.
  std::vector<quant::Quantizer*> planned_quantizers_;
  std::vector<std::shared_ptr<quant::Workspace>> norm_workspaces_;
  // Of a layer, by its weight in the joined graph: its input, and the quantizers of the weight or
  // of its parts (none: there are not as many).
  std::map<graph::ValueId, graph::ValueId> features_of_;
  std::map<graph::ValueId, std::vector<quant::Quantizer*>> weight_quantizers_;
  // By name of a norm: captured steps go on with them.
  std::map<std::string, std::shared_ptr<quant::Workspace>> workspaces_;
};

}  // namespace lowbit::exec
