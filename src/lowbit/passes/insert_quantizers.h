// Places quantizers around the layers of a graph.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lowbit/graph/graph.h"

namespace lowbit::passes {

// How one layer is quantized: input, weight, output. What is not enabled has no quantizer.
struct LayerQuantization {
  config::QuantOptions fm, wt, ot;

  config::QuantOptions& tag(config::Tag t) {
    return t == config::Tag::fm ? fm : t == config::Tag::wt ? wt : ot;
  }
};

// Whether a layer of quantizable_layers() can have a quantizer of the tag: those of
// Precision::full have none, linear layers none of their output.
bool can_quantize(const graph::Operation& layer, config::Tag tag);

// "LAYER.quant_weight"
std::string quantizer_name(const std::string& layer, config::Tag tag);

struct QuantizerPlacement {
  int64_t batch_size = 1;  // of a training step, for Quantize
  int64_t input_size = 1;  // pixels of a side of the network's input, likewise
  // Convolutions pad the quantized map with zeros instead of quantizing the padded map.
  bool padding_after_quant = false;
  // Whether a quantizer of features makes exactly 0 of 0, without any gradient from there: then
  // padding before and after it is the same, and the convolution pads.
  std::function<bool(const graph::Quantize&)> keeps_zero;
};

// layers: one for each of quantizable_layers(graph), in that order. What can_quantize() refuses
// gets none. Nodes are named after their layer:
//
//   LAYER.pad               zeros around the input, where they are quantized, too
//   LAYER.quant_activation  between the input and the layer
//   LAYER.quant_weight      between the weight and the layer
//   LAYER.quant_output      between the layer and all that read it
//
// In the state quantizers come behind the parameters of their layer. Needs a graph that verify()
// accepts; what a quantizer cannot be is a usage error that names it.
graph::Graph insert_quantizers(graph::Graph graph, const std::vector<LayerQuantization>& layers,
                               const QuantizerPlacement& placement);

}  // namespace lowbit::passes
