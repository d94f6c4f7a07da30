// A network as the training loop, checkpoints and reports see it.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lowbit/config/model_options.h"
#include "lowbit/exec/graph_module.h"
#include "lowbit/passes/insert_quantizers.h"

namespace lowbit::models {

struct NamedTensor {
  std::string name;      // dotted, as in checkpoints
  torch::Tensor tensor;  // the network's own: writing into it changes the network
};

// Everything of a module that a checkpoint holds, in the order of Python's state_dict(): of each
// module the parameters, the buffers, then the children.
std::vector<NamedTensor> state_of(const torch::nn::Module& module);

// The numbers of levels of several quantizers; 0: there is none.
struct LevelRange {
  int fewest = 0, most = 0;
};

// A convolution or linear layer that policies count.
class QuantLayer {
 public:
  // Dotted, as in checkpoints.
  const std::string& name() const { return name_; }
  // The master: of a convolution [O, I / groups, kh, kw], of a linear layer [O, I].
  const torch::Tensor& weight() const { return weight_; }
  // Null where the tag is not enabled or the layer can have no such quantizer.
  quant::Quantizer* quantizer(config::Tag tag) const { return place(tag).quantizer; }
  // The options of the tag's quantizer, enabled or not; null where the layer can have none.
  const config::QuantOptions* quant_options(config::Tag tag) const {
    return place(tag).options ? &*place(tag).options : nullptr;
  }

 private:
  friend class Network;
  struct Place {
    quant::Quantizer* quantizer = nullptr;
    std::optional<config::QuantOptions> options;
  };
  const Place& place(config::Tag tag) const { return places_[static_cast<size_t>(tag)]; }

  std::string name_;
  torch::Tensor weight_;
  std::array<Place, 3> places_;  // by tag
};

// The graph that options describe, with its quantizers, running and training. Images are
// [B, 3, H, W], logits [B, classes], float64 or float32.
class Network : public exec::GraphModule {
 public:
  // Weights are drawn from torch's default generator of the CPU (torch::manual_seed). An unknown
  // name, or options that the family cannot have, are an Error (usage). No policy is applied:
  // make_network().
  explicit Network(const config::ModelOptions& options);
  // Of another graph without quantizers, which `options` quantize.
  Network(const config::ModelOptions& options, graph::Graph structure);

  const config::ModelOptions& options() const { return options_; }
  // graph() without its quantizers.
  const graph::Graph& structure() const { return structure_; }
  // One line for logs: name, structure, levels (those of levels()).
  std::string description() const;
  // Of the quantizers of the tag, as they run. Waits for the device.
  LevelRange levels(config::Tag tag) const;

  // Every convolution and linear layer that can be quantized, in the order of checkpoints; the
  // place is the index that policy files use. Those forced to full precision are among them. Valid
  // until a quantizer is replaced.
  const std::vector<QuantLayer>& quant_layers() const { return quant_layers_; }

  std::vector<NamedTensor> state() const { return state_of(*this); }

  // What the first quantizer that has met with trouble in training says, with the name of its
  // layer, for a warning; "" if there is none. Waits for the device.
  std::string quantizer_trouble() const;

  // What the quantizers of the last forward pass add to the training loss, a scalar; undefined
  // where none does.
  torch::Tensor quantization_loss() const;

  // Of every quantizer: quant::Quantizer::set_proxquant.
  void set_proxquant(double p);

  // Other options for a quantizer of quant_layers()[layer], where quant_options() is not null.
  struct Requantization {
    size_t layer;
    config::Tag tag;
    config::QuantOptions options;
  };
  // GraphModule::replace_graph.
  Change requantize(const std::vector<Requantization>& changes);

  // quant::Quantizer::follow_options of all, after the entries `loaded` of state() came from a
  // checkpoint: the name of each quantizer that had to change, and what it says.
  std::vector<std::pair<std::string, std::string>> follow_options(
      const std::set<std::string>& loaded);
  // Lets every quantizer start anew, as its options say.
  void restart_quantizers();

  // A pass without gradient, in the present mode (statistics change in training) and not counted,
  // seen by `probe`.
  void probe(const torch::Tensor& images, exec::Arithmetic arithmetic, const Probe& probe);

  // The name of the first layer, in the order of computation, whose output for these images is not
  // finite; "" if none. Runs a pass as probe() does.
  std::string first_non_finite_layer(const torch::Tensor& images);

 private:
  using Quantization = std::vector<passes::LayerQuantization>;
  Network(const config::ModelOptions& options, graph::Graph structure, Quantization quantization);

  void list_quant_layers();

  config::ModelOptions options_;
  graph::Graph structure_;
  Quantization quantization_;  // by layer
  std::vector<QuantLayer> quant_layers_;
};

}  // namespace lowbit::models
