#include "lowbit/train/probe.h"

#include <algorithm>
#include <set>

#include "lowbit/core/error.h"

namespace lowbit::train {
namespace {

using config::Tag;
using passes::quantizer_name;

// Puts parameters and buffers back at the end: a pass in training mode moves statistics.
class KeptState {
 public:
  explicit KeptState(const models::Network& network) : state_(network.state()) {
    for (const models::NamedTensor& entry : state_)
      copies_.push_back(entry.tensor.detach().clone());
  }
  ~KeptState() {
    const torch::NoGradGuard no_grad;
    for (size_t i = 0; i < state_.size(); ++i) state_[i].tensor.copy_(copies_[i]);
  }
  KeptState(const KeptState&) = delete;
  KeptState& operator=(const KeptState&) = delete;

 private:
  std::vector<models::NamedTensor> state_;
  std::vector<torch::Tensor> copies_;
};

// As the step itself counts before its pass.
void count_pass(const models::Network& network) {
  const torch::NoGradGuard no_grad;
  for (const quant::Quantizer* quantizer : network.quantizers())
    torch::Tensor(quantizer->iteration()).add_(quantizer->counts_training_twice() ? 2 : 1);
}

torch::Tensor on_host(const torch::Tensor& tensor) {
  return tensor.detach().to(torch::kCPU, /*non_blocking=*/false, /*copy=*/true).contiguous();
}

}  // namespace

Probe::Probe(const config::TrainOptions& options, models::Network& network)
    : options_(options), network_(network) {
  const auto& all = network.quant_layers();
  for (const int index : options.probe_index) {
    if (static_cast<size_t>(index) >= all.size())
      throw core::usage_error(
          "option '--probe_index': there is no layer {}: model '{}' has {}, 0 to {}", index,
          network.options().name, all.size(), all.size() - 1);
    layers_.push_back(all[static_cast<size_t>(index)].name());
  }
  if (options.probe_index.empty())
    for (const models::QuantLayer& layer : all) layers_.push_back(layer.name());
}

bool Probe::wants(int64_t iteration) const {
  return options_.probe &&
         std::ranges::find(options_.probe_iteration, iteration) != options_.probe_iteration.end();
}

bool Probe::lists(const std::string& name) const {
  return std::ranges::any_of(options_.probe_list, [&name](const std::string& part) {
    return name.find(part) != std::string::npos;
  });
}

bool Probe::has_layer(const std::string& name) const {
  return options_.probe_index.empty() ||
         std::ranges::any_of(
             layers_, [&name](const std::string& layer) { return name.starts_with(layer + "."); });
}

checkpoint::Dict Probe::look(const torch::Tensor& images) const {
  std::vector<checkpoint::Dict::Entry> entries;
  const bool usual = options_.probe_list.empty();
  const auto add = [&](const std::string& name, const torch::Tensor& tensor) {
    if (usual || lists(name)) entries.emplace_back(name, on_host(tensor));
  };
  const KeptState kept(network_);
  if (!usual)
    for (const models::NamedTensor& entry : network_.state())
      if (has_layer(entry.name)) add(entry.name, entry.tensor);
  count_pass(network_);
  std::set<std::string> entered;
  network_.probe(images, exec::Arithmetic::floats,
                 [&](const graph::Node& node, const torch::Tensor& x, const torch::Tensor& y) {
                   const std::string& name = network_.graph().name_of(node);
                   for (const std::string& layer : layers_) {
                     const std::string activation = quantizer_name(layer, Tag::fm),
                                       weight = quantizer_name(layer, Tag::wt),
                                       output = quantizer_name(layer, Tag::ot);
                     // The first of these has the layer's input.
                     const bool enters =
                         name == layer + ".pad" || name == activation || name == layer;
                     if (enters && entered.insert(layer).second) add(layer + ".input", x);
                     if (name == activation || name == weight || name == output) add(name, y);
                     if (name == (network_.quantizer(output) ? output : layer))
                       add(layer + ".output", y);
                   }
                 });
  for (const std::string& part : options_.probe_list)
    if (std::ranges::none_of(entries, [&part](const checkpoint::Dict::Entry& entry) {
          return entry.first.get<std::string>("name").find(part) != std::string::npos;
        }))
      throw core::usage_error("option '--probe_list': no tensor has '{}' in its name", part)
          .detail(
              "names are those of the state dict, and PATH.input, PATH.quant_activation, "
              "PATH.quant_weight, PATH.quant_output, PATH.output of its layers");
  return checkpoint::Dict(std::move(entries));
}

}  // namespace lowbit::train
