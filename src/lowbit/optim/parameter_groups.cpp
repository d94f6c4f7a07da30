#include "lowbit/optim/parameter_groups.h"

#include <algorithm>

namespace lowbit::optim {
namespace {

constexpr std::string_view kQuantWeight = "quant_weight";

bool contains_entry(const std::string& name, const std::vector<std::string>& entries) {
  return std::any_of(entries.begin(), entries.end(), [&name](const std::string& entry) {
    return name.find(entry) != std::string::npos;
  });
}

// Whether `name` is LAYER.weight and the layer has a quantizer LAYER.quant_weight.
bool is_quantized_weight(const std::string& name, const torch::nn::Module& network) {
  constexpr std::string_view kWeight = "weight";
  if (name != kWeight && !name.ends_with(".weight")) return false;
  const std::string quantizer =
      name.substr(0, name.size() - kWeight.size()) + std::string(kQuantWeight) + ".";
  const auto parameters = network.named_parameters();
  return std::any_of(parameters.begin(), parameters.end(), [&quantizer](const auto& parameter) {
    return parameter.key().starts_with(quantizer);
  });
}

}  // namespace

double weight_decay(const config::TrainOptions& options, const std::string& name,
                    torch::IntArrayRef shape) {
  if (contains_entry(name, options.custom_decay_list)) return options.custom_decay;
  const bool small = shape.size() == 1 || (shape.size() == 4 && shape[1] == 1);
  return small && !options.decay_small ? 0 : options.weight_decay;
}

RateSource rate_source(const config::TrainOptions& options, const std::string& name,
                       const torch::nn::Module& network) {
  const std::vector<std::string>& entries = options.custom_lr_list;
  const bool special = std::find(entries.begin(), entries.end(), kQuantWeight) != entries.end();
  if (special && name.find(kQuantWeight) != std::string::npos) return RateSource::constant;
  if (contains_entry(name, entries)) return RateSource::custom_schedule;
  return special && is_quantized_weight(name, network) ? RateSource::constant
                                                       : RateSource::schedule;
}

std::vector<ParameterGroup> group_parameters(const config::TrainOptions& options,
                                             const torch::nn::Module& network) {
  std::vector<ParameterGroup> groups;
  for (const auto& parameter : network.named_parameters()) {
    if (!parameter.value().requires_grad()) continue;
    const double decay = weight_decay(options, parameter.key(), parameter.value().sizes());
    const RateSource rate = rate_source(options, parameter.key(), network);
    auto group = std::find_if(groups.begin(), groups.end(), [&](const ParameterGroup& g) {
      return g.weight_decay == decay && g.rate == rate;
    });
    if (group == groups.end()) group = groups.insert(groups.end(), {decay, {}, {}, rate});
    group->names.push_back(parameter.key());
    group->parameters.push_back(parameter.value());
  }
  return groups;
}

}  // namespace lowbit::optim
