// What every network is to the training loop, to checkpoints and to reports.
#pragma once

#include <torch/nn/module.h>

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lowbit/config/model_options.h"
#include "lowbit/nn/layer.h"
#include "lowbit/nn/norm.h"
#include "lowbit/nn/quant_layer.h"

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

class Network : public torch::nn::Module {
 public:
  // images [B, 3, H, W] -> logits [B, classes]. The type of the images is that of the arithmetic:
  // float64 needs a float64 network (to(torch::kFloat64)), float32, float16 and bfloat16 one in
  // float32. Logits are float64 or float32. Counts the pass (iteration, num_batches_tracked).
  // Never waits for the device: may be captured as a CUDA graph.
  torch::Tensor forward(const torch::Tensor& images);

  const config::ModelOptions& options() const { return options_; }
  // One line for logs: name, structure, levels (those of levels()).
  std::string description() const;
  // Of the quantizers of the tag, as they run. Waits for the device.
  LevelRange levels(config::Tag tag) const;

  // Every convolution and linear layer that can be quantized, in the order of checkpoints; the
  // place is the index that policy files use. Those forced to full precision are among them.
  const std::vector<nn::QuantLayer*>& quant_layers() const { return quant_layers_; }
  // All layers, in the order of checkpoints.
  const std::vector<nn::Layer*>& layers() const { return layers_; }
  // Those that exist, of quant_layers() in order: activation, weight, output.
  const std::vector<quant::Quantizer*>& quantizers() const { return quantizers_; }

  std::vector<NamedTensor> state() const { return state_of(*this); }

  // As in torch::nn::Module, except that integers (counters, codes) stay integers.
  using torch::nn::Module::to;
  void to(torch::Device device, torch::Dtype type, bool non_blocking = false) override;

  // What the first quantizer that has met with trouble in training says, with the name of its
  // layer, for a warning; "" if there is none. Waits for the device.
  std::string quantizer_trouble() const;

  // Lays convolution weights out as channels-last; images should be then, too.
  void use_channels_last();

  // What the quantizers of the last forward pass add to the training loss, a scalar; undefined
  // where none does.
  torch::Tensor quantization_loss() const;

  // Of every quantizer: quant::Quantizer::set_proxquant.
  void set_proxquant(double p);

  // Gives a quantizer of quant_layers()[layer] other options: nn::QuantLayer::requantize.
  nn::QuantLayer::Change requantize(size_t layer, config::Tag tag,
                                    const config::QuantOptions& options);
  // quant::Quantizer::follow_options of all, after the entries `loaded` of state() came from a
  // checkpoint: the name of each quantizer that had to change, and what it says.
  std::vector<std::pair<std::string, std::string>> follow_options(
      const std::set<std::string>& loaded);
  // Lets every quantizer start anew, as its options say.
  void restart_quantizers();

  // A forward pass without gradient, in the present mode (statistics change in training) and not
  // counted, of which `probe` sees every layer, in the order of computation, and `quantizer_probe`,
  // if there is one, every quantizer.
  void probe(const torch::Tensor& images, const nn::Layer::Probe& probe,
             const quant::Quantizer::Probe* quantizer_probe = nullptr);

  // The name of the first layer, in the order of computation, whose output for these images is not
  // finite; "" if none. Runs a pass as probe() does.
  std::string first_non_finite_layer(const torch::Tensor& images);

 protected:
  explicit Network(const config::ModelOptions& options) : options_(options) {}
  virtual torch::Tensor logits(const torch::Tensor& images) = 0;
  // The constructor of a network ends with it, when all modules are registered.
  void modules_are_complete();

 private:
  void count_forward();
  void collect_modules();

  config::ModelOptions options_;
  std::vector<nn::Layer*> layers_;
  std::vector<nn::QuantLayer*> quant_layers_;
  std::vector<quant::Quantizer*> quantizers_;
  std::vector<nn::BatchNorm*> batch_norms_;
};

}  // namespace lowbit::models
