#include "lowbit/models/network.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "lowbit/nn/conv.h"
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

// "order cbas, " or, where there is none to choose, "".
std::string order_text(const config::ModelOptions& options) {
  const char* name = nullptr;
  switch (options.order) {
    case config::BlockOrder::cbas:
      name = "cbas";
      break;
    case config::BlockOrder::cbsa:
      name = "cbsa";
      break;
    case config::BlockOrder::cabs:
      name = "cabs";
      break;
    case config::BlockOrder::bacs:
      name = "bacs";
      break;
    case config::BlockOrder::bcas:
      name = "bcas";
      break;
    case config::BlockOrder::none:
      break;
  }
  switch (options.unit_order) {
    case config::UnitOrder::bac:
      name = "bac";
      break;
    case config::UnitOrder::cba:
      name = "cba";
      break;
    case config::UnitOrder::abc:
      name = "abc";
      break;
    case config::UnitOrder::none:
      break;
  }
  return name ? fmt::format("order {}, ", name) : "";
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

torch::Tensor Network::forward(const torch::Tensor& images) {
  count_forward();
  return logits(images);
}

LevelRange Network::levels(config::Tag tag) const {
  LevelRange range;
  for (const quant::Quantizer* quantizer : quantizers_) {
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
    for (const quant::Quantizer* quantizer : quantizers_)
      if (quantizer->shape().tag == tag)
        methods.insert(config::row_of(quantizer->options().method).name);
    return fmt::format("{} levels ({})", level_text(range), fmt::join(methods, ", "));
  };
  std::string text = fmt::format(
      "{}: {}width {:g}, {} classes, {} x {} pixels; weights {}, activations {}", options_.name,
      order_text(options_), options_.width_alpha, options_.num_classes, options_.input_size,
      options_.input_size, precision(config::Tag::wt), precision(config::Tag::fm));
  if (options_.ot.enable) text += fmt::format(", outputs {}", precision(config::Tag::ot));
  return text;
}

void Network::to(torch::Device device, torch::Dtype type, bool non_blocking) {
  std::vector<std::pair<torch::Tensor, torch::Tensor>> integers;  // with what they are to hold
  const auto note = [&](const torch::Tensor& tensor) {
    if (at::isIntegralType(tensor.scalar_type(), /*includeBool=*/true))
      integers.emplace_back(tensor, tensor.detach().to(device));
  };
  for (const torch::Tensor& parameter : parameters()) note(parameter);
  for (const torch::Tensor& buffer : buffers()) note(buffer);
  Module::to(device, type, non_blocking);
  for (auto& [tensor, value] : integers) tensor.set_data(value);
}

std::string Network::quantizer_trouble() const {
  for (const nn::QuantLayer* layer : quant_layers_)
    for (const config::Tag tag : {config::Tag::fm, config::Tag::wt, config::Tag::ot}) {
      const std::string trouble =
          layer->quantizer(tag) ? layer->quantizer(tag)->trouble() : std::string();
      if (!trouble.empty()) return fmt::format("layer '{}': {}", layer->layer_path(), trouble);
    }
  return "";
}

void Network::use_channels_last() {
  for (nn::Layer* layer : layers_)
    if (auto* conv = dynamic_cast<nn::Conv2d*>(layer)) conv->use_channels_last();
}

torch::Tensor Network::quantization_loss() const {
  torch::Tensor sum;
  for (const quant::Quantizer* quantizer : quantizers_)
    if (quantizer->loss().defined())
      sum = sum.defined() ? sum + quantizer->loss() : quantizer->loss();
  return sum;
}

void Network::set_proxquant(double p) {
  for (quant::Quantizer* quantizer : quantizers_) quantizer->set_proxquant(p);
}

nn::QuantLayer::Change Network::requantize(size_t layer, config::Tag tag,
                                           const config::QuantOptions& options) {
  nn::QuantLayer::Change change = quant_layers_.at(layer)->requantize(tag, options);
  if (change.replaced) collect_modules();
  return change;
}

std::vector<std::pair<std::string, std::string>> Network::follow_options(
    const std::set<std::string>& loaded) {
  std::vector<std::pair<std::string, std::string>> changed;
  for (const auto& item : named_modules(/*name_prefix=*/"", /*include_self=*/false)) {
    auto* quantizer = dynamic_cast<quant::Quantizer*>(item.value().get());
    if (!quantizer) continue;
    std::string change = quantizer->follow_options(loaded.contains(item.key() + ".clip_val"));
    if (!change.empty()) changed.emplace_back(item.key(), std::move(change));
  }
  return changed;
}

void Network::restart_quantizers() {
  const torch::NoGradGuard no_grad;
  for (quant::Quantizer* quantizer : quantizers_) {
    const auto start = quant::make_quantizer(quantizer->shape(), quantizer->options());
    const std::vector<NamedTensor> from = state_of(*start), to = state_of(*quantizer);
    for (size_t i = 0; i < to.size(); ++i) torch::Tensor(to[i].tensor).copy_(from[i].tensor);
  }
}

void Network::probe(const torch::Tensor& images, const nn::Layer::Probe& probe,
                    const quant::Quantizer::Probe* quantizer_probe) {
  const torch::NoGradGuard no_grad;
  const auto probe_all = [this](const nn::Layer::Probe* of_layers,
                                const quant::Quantizer::Probe* of_quantizers) {
    for (nn::Layer* layer : layers_) layer->set_probe(of_layers);
    for (quant::Quantizer* quantizer : quantizers_) quantizer->set_probe(of_quantizers);
  };
  probe_all(&probe, quantizer_probe);
  try {
    logits(images);
  } catch (...) {
    probe_all(nullptr, nullptr);
    throw;
  }
  probe_all(nullptr, nullptr);
}

std::string Network::first_non_finite_layer(const torch::Tensor& images) {
  std::string found;
  probe(images, [&](const nn::Layer& layer, const torch::Tensor&, const torch::Tensor& y) {
    if (found.empty() && !torch::isfinite(y).all().item<bool>()) found = layer.path();
  });
  return found;
}

void Network::modules_are_complete() {
  collect_modules();
}

void Network::collect_modules() {
  layers_.clear();
  quant_layers_.clear();
  quantizers_.clear();
  batch_norms_.clear();
  for (const auto& item : named_modules(/*name_prefix=*/"", /*include_self=*/false)) {
    torch::nn::Module* module = item.value().get();
    if (auto* layer = dynamic_cast<nn::Layer*>(module)) {
      layer->set_path(item.key());
      layers_.push_back(layer);
    }
    if (auto* norm = dynamic_cast<nn::BatchNorm*>(module)) batch_norms_.push_back(norm);
    if (auto* quantizer = dynamic_cast<quant::Quantizer*>(module)) quantizers_.push_back(quantizer);
    if (auto* layer = dynamic_cast<nn::QuantLayer*>(module)) quant_layers_.push_back(layer);
  }
}

// All counters of a kind in one operation: on a GPU one launch instead of one for each layer.
void Network::count_forward() {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> once, twice, batches;
  const auto add = [](const std::vector<torch::Tensor>& counters, int64_t amount) {
    if (!counters.empty()) torch::_foreach_add_(counters, amount);
  };
  for (const quant::Quantizer* quantizer : quantizers_)
    if (is_training() || quantizer->counts_evaluation())
      (is_training() && quantizer->counts_training_twice() ? twice : once)
          .push_back(quantizer->iteration());
  add(once, 1);
  add(twice, 2);
  if (!is_training()) return;
  for (const nn::BatchNorm* norm : batch_norms_)
    if (norm->batches_to_count().defined()) batches.push_back(norm->batches_to_count());
  add(batches, 1);
}

}  // namespace lowbit::models
