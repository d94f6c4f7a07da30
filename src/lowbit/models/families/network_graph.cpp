#include "lowbit/models/families/network_graph.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>

#include "lowbit/core/error.h"
#include "lowbit/models/families/families.h"
#include "lowbit/models/width.h"
#include "lowbit/quant/factory.h"

namespace lowbit::models {
namespace {

using graph::Dims;
using graph::Graph;

// A network: a new one is a row.
struct GraphRow {
  const char* name;
  Graph (*build)(const config::ModelOptions&, const Dims& image);
};

// --block_alpha: the number of blocks of each stage. One that has none stays so.
std::vector<int> scaled(std::vector<int> blocks, const config::ModelOptions& options) {
  for (int& count : blocks)
    if (count > 0) count = scaled_count(count, options);
  return blocks;
}

template <int... blocks>
Graph basic_resnet(const config::ModelOptions& options, const Dims& image) {
  return families::resnet(options, image, scaled({blocks...}, options), /*bottleneck=*/false);
}

template <int... blocks>
Graph deep_resnet(const config::ModelOptions& options, const Dims& image) {
  return families::resnet(options, image, scaled({blocks...}, options), /*bottleneck=*/true);
}

template <bool bottleneck, int... blocks>
Graph torchvision(const config::ModelOptions& options, const Dims& image) {
  return families::pytorch_resnet(options, image, scaled({blocks...}, options), bottleneck);
}

// clang-format off
constexpr GraphRow kNetworks[] = {
    {"resnet18", basic_resnet<2, 2, 2, 2>},
    {"resnet20", basic_resnet<3, 3, 3>},
    {"resnet20_", basic_resnet<2, 2, 3, 2>},
    {"resnet32", basic_resnet<5, 5, 5>},
    {"resnet34", basic_resnet<3, 4, 6, 3>},
    {"resnet34_", basic_resnet<0, 2, 2, 2, 2, 2, 2, 2, 2>},
    {"resnet44", basic_resnet<7, 7, 7>},
    {"resnet50", deep_resnet<3, 4, 6, 3>},
    {"resnet56", basic_resnet<9, 9, 9>},
    {"resnet101", deep_resnet<3, 4, 23, 3>},
    {"pytorch-resnet18", torchvision<false, 2, 2, 2, 2>},
    {"pytorch-resnet34", torchvision<false, 3, 4, 6, 3>},
    {"pytorch-resnet50", torchvision<true, 3, 4, 6, 3>},
    {"pytorch-resnet101", torchvision<true, 3, 4, 23, 3>},
    {"mobilenetv1", families::mobilenetv1},
    {"mobilenetv2", families::mobilenetv2},
    {"vgg_small", families::vgg_small},
    {"nin", families::nin},
};
// clang-format on

// The layers that a block of a policy names; none: all.
std::vector<size_t> named_layers(const config::PolicyBlock& block, const Graph& graph,
                                 size_t count) {
  std::vector<size_t> layers;
  for (const config::Argument& word : block.indices) {
    size_t index = count;
    std::from_chars(word.text.data(), word.text.data() + word.text.size(), index);
    if (index >= count)
      throw config::at(core::usage_error("there is no layer {}: model '{}' has {}, 0 to {}",
                                         word.text, graph.name, count, count - 1),
                       word);
    layers.push_back(index);
  }
  for (size_t i = 0; i < count && block.indices.empty(); ++i) layers.push_back(i);
  return layers;
}

config::QuantOptions& options_of(passes::LayerQuantization& layer, config::Tag tag) {
  return tag == config::Tag::fm ? layer.fm : tag == config::Tag::wt ? layer.wt : layer.ot;
}

bool can_have(const graph::Operation& layer, config::Tag tag) {
  return precision_of(layer) == graph::Precision::free &&
         (tag != config::Tag::ot || std::holds_alternative<graph::Convolution>(layer));
}

bool keeps_zero(const graph::Quantize& q) {
  return quant::make_quantizer({q.tag, q.shape, q.batch_size, q.input_size}, q.options)
      ->keeps_zero();
}

}  // namespace

Dims image_of(const config::ModelOptions& options) {
  return {3, options.input_size, options.input_size};
}

std::vector<std::string> graph_names() {
  std::vector<std::string> names;
  for (const GraphRow& row : kNetworks) names.emplace_back(row.name);
  return names;
}

Graph network_graph(const config::ModelOptions& options, const Dims& image) {
  for (const GraphRow& row : kNetworks)
    if (options.name == row.name) return row.build(options, image);
  throw core::usage_error("there is no model '{}'", options.name)
      .suggest(core::nearest_name(options.name, graph_names()))
      .detail(fmt::format("models: {}", fmt::join(graph_names(), " ")));
}

std::vector<passes::LayerQuantization> initial_quantization(const Graph& graph,
                                                            const config::ModelOptions& options) {
  const std::vector<size_t> nodes = quantizable_layers(graph);
  std::vector<passes::LayerQuantization> layers(nodes.size(), {options.fm, options.wt, options.ot});
  for (const config::PolicySection& section : options.policy.sections) {
    if (section.event != config::PolicyEvent::init) continue;
    for (const config::PolicyBlock& block : section.blocks)
      for (const size_t layer : named_layers(block, graph, layers.size()))
        for (const config::Tag tag : block.tags) {
          if (!can_have(graph.nodes[nodes[layer]].operation, tag)) continue;
          config::QuantOptions& changed = options_of(layers[layer], tag);
          changed = config::changed(changed, tag, block.changes);
        }
  }
  return layers;
}

Graph quantized_graph(const config::ModelOptions& options, const Dims& image,
                      const std::vector<passes::LayerQuantization>& layers) {
  return passes::insert_quantizers(network_graph(options, image), layers,
                                   {.batch_size = options.batch_size,
                                    .input_size = options.input_size,
                                    .padding_after_quant = options.padding_after_quant,
                                    .keeps_zero = keeps_zero});
}

Graph graph_of(const Network& network) {
  constexpr config::QuantOptions kNone;
  std::vector<passes::LayerQuantization> layers;
  for (const nn::QuantLayer* layer : network.quant_layers()) {
    const auto options = [&](config::Tag tag) {
      const auto& quantizer = layer->quantizer(tag);
      if (!quantizer) return kNone;
      config::QuantOptions present = quantizer->options();
      // A checkpoint may have brought another number of levels.
      const int levels = quantizer->level_num().item<int>();
      if (levels != present.levels()) present.level = levels;
      return present;
    };
    layers.push_back(
        {options(config::Tag::fm), options(config::Tag::wt), options(config::Tag::ot)});
  }
  return quantized_graph(network.options(), image_of(network.options()), layers);
}

Graph quantized_graph(const config::ModelOptions& options) {
  Graph graph = network_graph(options, image_of(options));
  const std::vector<passes::LayerQuantization> layers = initial_quantization(graph, options);
  return quantized_graph(options, image_of(options), layers);
}

}  // namespace lowbit::models
