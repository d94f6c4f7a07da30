#include "lowbit/models/network.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "lowbit/config/methods.h"
#include "lowbit/models/families/network_graph.h"
#include "lowbit/quant/factory.h"

namespace lowbit::models {
namespace {

void append_state(const torch::nn::Module& module, const std::string& prefix,
                  std::vector<NamedTensor>& state) {
  for (const auto& item : module.named_parameters(/*recurse=*/false))
    state.push_back({prefix + item.key(), item.value()});
  for (const auto& item : module.named_buffers(/*recurse=*/false))
    state.push_back({prefix + item.key(), item.value()});
  for (const auto& item : module.named_children())
    append_state(*item.value(), prefix + item.key() + ".", state);
}

// Layers without an entry are quantized as the options say.
graph::Graph quantized(const graph::Graph& structure, const config::ModelOptions& options,
                       std::vector<passes::LayerQuantization>& layers) {
  layers.resize(quantizable_layers(structure).size(), {options.fm, options.wt, options.ot});
  return passes::insert_quantizers(
      structure, layers,
      {.batch_size = options.batch_size,
       .input_size = options.input_size,
       .padding_after_quant = options.padding_after_quant,
       .keeps_zero = [](const graph::Quantize& q) {
         return quant::make_quantizer({q.tag, q.shape, q.batch_size, q.input_size}, q.options)
             ->keeps_zero();
       }});
}

std::string level_text(const LevelRange& levels) {
  return levels.fewest == levels.most ? std::to_string(levels.most)
                                      : fmt::format("{} to {}", levels.fewest, levels.most);
}

}  // namespace

std::vector<NamedTensor> state_of(const torch::nn::Module& module) {
  std::vector<NamedTensor> state;
  append_state(module, "", state);
  return state;
}

Network::Network(const config::ModelOptions& options)
    : Network(options, network_graph(options, image_of(options))) {}

Network::Network(const config::ModelOptions& options, graph::Graph structure)
    : Network(options, std::move(structure), {}) {}

Network::Network(const config::ModelOptions& options, graph::Graph structure,
                 Quantization quantization)
    : GraphModule(quantized(structure, options, quantization)),
      options_(options),
      structure_(std::move(structure)),
      quantization_(std::move(quantization)) {
  list_quant_layers();
}

void Network::list_quant_layers() {
  const graph::Uses uses(structure_);
  const std::vector<size_t> nodes = quantizable_layers(structure_);
  quant_layers_.assign(nodes.size(), {});
  for (size_t i = 0; i < nodes.size(); ++i) {
    const graph::Node& node = structure_.nodes[nodes[i]];
    QuantLayer& layer = quant_layers_[i];
    layer.name_ = structure_.name_of(node);
    layer.weight_ = tensor(structure_.value(source_parameter(uses, node.inputs[1])->value).name);
    for (const config::Tag tag : {config::Tag::fm, config::Tag::wt, config::Tag::ot}) {
      if (!passes::can_quantize(node.operation, tag)) continue;
      layer.places_[static_cast<size_t>(tag)] = {
          .quantizer = quantizer(passes::quantizer_name(layer.name_, tag)),
          .options = quantization_[i].tag(tag)};
    }
  }
}

LevelRange Network::levels(config::Tag tag) const {
  LevelRange range;
  for (const quant::Quantizer* quantizer : quantizers()) {
    if (quantizer->shape().tag != tag) continue;
    const int levels = quantizer->level_num().item<int>();
    range.fewest = range.most == 0 ? levels : std::min(range.fewest, levels);
    range.most = std::max(range.most, levels);
  }
  return range;
}

std::string Network::description() const {
  const auto precision = [this](config::Tag tag) -> std::string {
    const LevelRange range = levels(tag);
    if (range.most == 0) return "full precision";
    std::set<std::string> methods;
    for (const quant::Quantizer* quantizer : quantizers())
      if (quantizer->shape().tag == tag)
        methods.insert(config::row_of(quantizer->options().method).name);
    return fmt::format("{} levels ({})", level_text(range), fmt::join(methods, ", "));
  };
  const std::string order = order_name(options_);
  std::string text =
      fmt::format("{}: {}width {:g}, {} classes, {} x {} pixels; weights {}, activations {}",
                  options_.name, order.empty() ? "" : "order " + order + ", ", options_.width_alpha,
                  options_.num_classes, options_.input_size, options_.input_size,
                  precision(config::Tag::wt), precision(config::Tag::fm));
  if (options_.ot.enable) text += fmt::format(", outputs {}", precision(config::Tag::ot));
  return text;
}

std::string Network::quantizer_trouble() const {
  for (const QuantLayer& layer : quant_layers_)
    for (const config::Tag tag : {config::Tag::fm, config::Tag::wt, config::Tag::ot}) {
      const std::string trouble =
          layer.quantizer(tag) ? layer.quantizer(tag)->trouble() : std::string();
      if (!trouble.empty()) return fmt::format("layer '{}': {}", layer.name(), trouble);
    }
  return "";
}

torch::Tensor Network::quantization_loss() const {
  torch::Tensor sum;
  for (const quant::Quantizer* quantizer : quantizers())
    if (quantizer->loss().defined())
      sum = sum.defined() ? sum + quantizer->loss() : quantizer->loss();
  return sum;
}

void Network::set_proxquant(double p) {
  for (quant::Quantizer* quantizer : quantizers()) quantizer->set_proxquant(p);
}

Network::Change Network::requantize(const std::vector<Requantization>& changes) {
  if (changes.empty()) return {};
  Quantization next = quantization_;
  for (const Requantization& change : changes)
    next.at(change.layer).tag(change.tag) = change.options;
  Change change = replace_graph(quantized(structure_, options_, next));
  quantization_ = std::move(next);
  list_quant_layers();
  return change;
}

std::vector<std::pair<std::string, std::string>> Network::follow_options(
    const std::set<std::string>& loaded) {
  std::vector<std::pair<std::string, std::string>> changed;
  for (const graph::ValueId id : graph().state) {
    const std::string& name = graph().value(id).name;
    quant::Quantizer* const method = quantizer(name);
    std::string change = method ? method->follow_options(loaded.contains(name + ".clip_val")) : "";
    if (!change.empty()) changed.emplace_back(name, std::move(change));
  }
  return changed;
}

void Network::restart_quantizers() {
  const torch::NoGradGuard no_grad;
  for (quant::Quantizer* quantizer : quantizers()) {
    const auto start = quant::make_quantizer(quantizer->shape(), quantizer->options());
    const std::vector<NamedTensor> from = state_of(*start), to = state_of(*quantizer);
    for (size_t i = 0; i < to.size(); ++i) torch::Tensor(to[i].tensor).copy_(from[i].tensor);
  }
}

void Network::probe(const torch::Tensor& images, exec::Arithmetic arithmetic, const Probe& probe) {
  const torch::NoGradGuard no_grad;
  run(images, arithmetic, &probe);
}

std::string Network::first_non_finite_layer(const torch::Tensor& images) {
  std::string found;
  probe(images, exec::Arithmetic::whole_numbers,
        [&](const graph::Node& node, const torch::Tensor&, const torch::Tensor& y) {
          if (!found.empty() || torch::isfinite(y).all().item<bool>()) return;
          found = graph().name_of(node);
          // A layer has its quantizers.
          if (std::holds_alternative<graph::Quantize>(node.operation))
            found.erase(found.rfind('.'));
        });
  return found;
}

}  // namespace lowbit::models
