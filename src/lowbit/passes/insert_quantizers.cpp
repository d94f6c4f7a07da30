#include "lowbit/passes/insert_quantizers.h"

#include <map>
#include <utility>

#include "lowbit/core/error.h"
#include "lowbit/graph/operation_table.h"
#include "lowbit/graph/verify.h"
#include "lowbit/passes/checkpoint_order.h"

namespace lowbit::passes {
namespace {

using config::Tag;
using graph::Convolution;
using graph::Dims;
using graph::Graph;
using graph::Node;
using graph::Quantize;
using graph::ValueId;

class QuantizerInserter {
 public:
  QuantizerInserter(Graph& graph, const QuantizerPlacement& placement)
      : graph_(graph), placement_(placement) {}

  // layers: by index into graph.nodes
  void run(const std::map<size_t, const LayerQuantization*>& layers) {
    std::vector<Node> old = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (size_t i = 0; i < old.size(); ++i) {
      for (ValueId& input : old[i].inputs) input = present(input);
      if (const auto layer = layers.find(i); layer != layers.end())
        add_layer(std::move(old[i]), *layer->second);
      else
        graph_.nodes.push_back(std::move(old[i]));
    }
    graph_.output = present(graph_.output);
    std::vector<ValueId> entries = graph_.state;
    entries.insert(entries.end(), quantizers_.begin(), quantizers_.end());
    graph_.state = checkpoint_order(graph_, entries);
  }

 private:
  // What takes the place of a value of the old graph.
  ValueId present(ValueId id) const {
    const auto quantized = quantized_.find(id);
    return quantized == quantized_.end() ? id : quantized->second;
  }

  const Dims& dims(ValueId id) const { return graph_.value(id).type.dims; }

  ValueId add_node(const std::string& name, const graph::Operation& operation, ValueId x) {
    const graph::Type type =
        infer(name, operation, std::vector{graph::Operand{graph_.value(x).type, std::nullopt}});
    const ValueId output = graph_.add_value(name, type);
    graph_.nodes.push_back({operation, {x}, output});
    return output;
  }

  Quantize quantize(Tag tag, const config::QuantOptions& options,
                    const std::array<int64_t, 4>& shape) const {
    return {.tag = tag,
            .options = options,
            .shape = shape,
            .batch_size = placement_.batch_size,
            .input_size = placement_.input_size};
  }

  ValueId add_quantizer(const std::string& name, const Quantize& operation, ValueId x) {
    quantizers_.push_back(add_node(name, operation, x));
    return quantizers_.back();
  }

  // By definition the input is padded and then quantized, so that a padded zero becomes whatever
  // level is nearest to 0.
  ValueId padded(const std::string& name, const Quantize& quantizer, Convolution& conv, ValueId x) {
    const bool after = placement_.padding_after_quant || placement_.keeps_zero(quantizer);
    if (after || conv.padding == graph::Padding(0)) return x;
    const graph::Padding padding = std::exchange(conv.padding, 0);
    return add_node(name + ".pad", graph::Pad{.padding = padding}, x);
  }

  std::array<int64_t, 4> weight_shape(const Node& layer) const {
    const Dims& weight = dims(layer.inputs[1]);
    if (weight.size() == 2) return {1, 1, weight[0], weight[1]};
    return {weight[0], dims(layer.inputs[0])[0], weight[2], weight[3]};
  }

  void add_layer(Node layer, const LayerQuantization& options) {
    const std::string name = graph_.name_of(layer);
    auto* conv = std::get_if<Convolution>(&layer.operation);
    const std::array<int64_t, 4> shape = weight_shape(layer);
    ValueId &x = layer.inputs[0], &weight = layer.inputs[1];
    if (options.fm.enable) {
      const Quantize quantizer = quantize(Tag::fm, options.fm, {1, dims(x)[0], 1, 1});
      if (conv) x = padded(name, quantizer, *conv, x);
      x = add_quantizer(quantizer_name(name, Tag::fm), quantizer, x);
    }
    if (options.wt.enable)
      weight = add_quantizer(quantizer_name(name, Tag::wt), quantize(Tag::wt, options.wt, shape),
                             weight);
    const ValueId y = layer.output;
    graph_.nodes.push_back(std::move(layer));
    if (conv && options.ot.enable)
      quantized_[y] = add_quantizer(quantizer_name(name, Tag::ot),
                                    quantize(Tag::ot, options.ot, {1, dims(y)[0], 1, 1}), y);
  }

  Graph& graph_;
  const QuantizerPlacement& placement_;
  std::map<ValueId, ValueId> quantized_;  // outputs of layers
  std::vector<ValueId> quantizers_;
};

}  // namespace

bool can_quantize(const graph::Operation& layer, Tag tag) {
  return precision_of(layer) == graph::Precision::free &&
         (tag != Tag::ot || std::holds_alternative<Convolution>(layer));
}

std::string quantizer_name(const std::string& layer, Tag tag) {
  return layer + (tag == Tag::fm   ? ".quant_activation"
                  : tag == Tag::wt ? ".quant_weight"
                                   : ".quant_output");
}

Graph insert_quantizers(Graph graph, const std::vector<LayerQuantization>& layers,
                        const QuantizerPlacement& placement) {
  const std::vector<size_t> nodes = quantizable_layers(graph);
  if (layers.size() != nodes.size())
    throw core::usage_error("graph '{}' has {} layers that can be quantized, not {}", graph.name,
                            nodes.size(), layers.size());
  std::map<size_t, const LayerQuantization*> by_node;
  for (size_t i = 0; i < nodes.size(); ++i)
    if (precision_of(graph.nodes[nodes[i]].operation) == graph::Precision::free)
      by_node[nodes[i]] = &layers[i];
  QuantizerInserter(graph, placement).run(by_node);
  verify(graph);
  return graph;
}

}  // namespace lowbit::passes
