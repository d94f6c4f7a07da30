#include "lowbit/models/policy.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "lowbit/core/error.h"
#include "lowbit/core/log.h"

namespace lowbit::models {
namespace {

int64_t number(const config::Argument& word) {
  int64_t value = -1;
  std::from_chars(word.text.data(), word.text.data() + word.text.size(), value);
  return value;
}

std::vector<size_t> layers_of_block(const config::PolicyBlock& block, const Network& network) {
  const size_t count = network.quant_layers().size();
  std::vector<size_t> layers;
  for (const config::Argument& word : block.indices) {
    const auto index = static_cast<size_t>(number(word));
    if (index >= count)
      throw config::at(core::usage_error("there is no layer {}: model '{}' has {}, 0 to {}", index,
                                         network.options().name, count, count - 1),
                       word);
    layers.push_back(index);
  }
  if (block.indices.empty())
    for (size_t i = 0; i < count; ++i) layers.push_back(i);
  return layers;
}

void apply(Network& network, const config::PolicyBlock& block, PolicyEffect& effect) {
  bool acts = false;
  std::vector<Network::Requantization> changes;
  for (const size_t index : layers_of_block(block, network))
    for (const config::Tag tag : block.tags) {
      const QuantLayer& layer = network.quant_layers()[index];
      if (!layer.quant_options(tag)) continue;
      changes.push_back(
          {index, tag, config::changed(*layer.quant_options(tag), tag, block.changes)});
      acts |= changes.back().options.enable || layer.quantizer(tag);
    }
  try {
    const Network::Change change = network.requantize(changes);
    effect.replaced |= change.replaced;
    effect.started.insert(effect.started.end(), change.started.begin(), change.started.end());
  } catch (core::Error& error) {
    throw config::at(error, block.changes.back().name);
  }
  if (!acts)
    core::warn_once(
        fmt::format("{}: this block of the policy has no effect: none of its "
                    "quantizers is enabled",
                    block.changes.front().name.place()));
}

// That no section names a layer which there is not: an epoch's would show it late.
void check_layers(const Network& network) {
  for (const config::PolicySection& section : network.options().policy.sections)
    if (section.event == config::PolicyEvent::init || section.event == config::PolicyEvent::epoch)
      for (const config::PolicyBlock& block : section.blocks) layers_of_block(block, network);
}

}  // namespace

PolicyEffect apply_policy(Network& network, config::PolicyEvent event, int epoch) {
  if (event == config::PolicyEvent::init) check_layers(network);
  PolicyEffect effect;
  for (const config::PolicySection& section : network.options().policy.sections) {
    const bool now = event != config::PolicyEvent::epoch ||
                     std::ranges::find(section.epochs, epoch) != section.epochs.end();
    if (section.event != event || !now) continue;
    effect.applied |= !section.blocks.empty();
    for (const config::PolicyBlock& block : section.blocks) apply(network, block, effect);
  }
  return effect;
}

void apply_policy_until(Network& network, int last) {
  std::set<int> epochs;
  for (const config::PolicySection& section : network.options().policy.sections)
    epochs.insert(section.epochs.begin(), section.epochs.end());
  for (const int epoch : epochs)
    if (epoch <= last) apply_policy(network, config::PolicyEvent::epoch, epoch);
}

}  // namespace lowbit::models
