#include "lowbit/train/parameter_groups.h"

#include <algorithm>

namespace lowbit::train {

double weight_decay(const config::TrainOptions& options, const std::string& name,
                    torch::IntArrayRef shape) {
  for (const std::string& part : options.custom_decay_list)
    if (name.find(part) != std::string::npos) return options.custom_decay;
  const bool small = shape.size() == 1 || (shape.size() == 4 && shape[1] == 1);
  return small && !options.decay_small ? 0 : options.weight_decay;
}

std::vector<ParameterGroup> group_parameters(const config::TrainOptions& options,
                                             const torch::nn::Module& network) {
  std::vector<ParameterGroup> groups;
  for (const auto& parameter : network.named_parameters()) {
    if (!parameter.value().requires_grad()) continue;
    const double decay = weight_decay(options, parameter.key(), parameter.value().sizes());
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const auto& g) { return g.weight_decay == decay; });
    if (group == groups.end()) group = groups.insert(groups.end(), {decay, {}, {}});
    group->names.push_back(parameter.key());
    group->parameters.push_back(parameter.value());
  }
  return groups;
}

}  // namespace lowbit::train
