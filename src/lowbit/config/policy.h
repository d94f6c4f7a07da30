// The policy file (--policy): attributes of quantizers by layer, for mixed precision and for
// changes while training.
//
//   # what holds from the start
//   on init :
//     by_index: 0 1 2
//     by_tag: fm wt
//     bit: 4
//   # what changes before epochs 10 and 20
//   on epoch : 10 20
//     by_tag: wt
//     progressive: True
//     level_num: -2
//
// A section holds blocks: selectors (none: every layer, every tag), then attributes. A selector
// behind an attribute opens the next block. The index of a layer is its place among all layers that
// can be quantized, in the order of checkpoints, from 0.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lowbit/config/argument.h"
#include "lowbit/config/quant_options.h"

namespace lowbit::config {

// Where a section's blocks are applied: to layers after the network is built; to norms and to sums
// of branches then; to layers before the training of an epoch.
enum class PolicyEvent { init, norm, eltwise, epoch };

// An `attribute: value` line that has been checked.
struct PolicyChange {
  Argument name, value;
};

struct PolicyBlock {
  std::vector<Argument> indices;  // integers >= 0; empty: every layer
  std::vector<Tag> tags;
  std::vector<PolicyChange> changes;  // at least one
};

struct PolicySection {
  PolicyEvent event;
  std::vector<int> epochs;  // of PolicyEvent::epoch, from 0
  std::vector<PolicyBlock> blocks;
};

struct Policy {
  std::string name, text;  // the file's
  std::vector<PolicySection> sections;
  std::vector<std::string> warnings;  // with their place: what has no effect

  bool empty() const { return sections.empty(); }
  bool operator==(const Policy& other) const { return name == other.name && text == other.text; }
};

// Usage errors name file, line and the nearest valid section, selector, tag, attribute or value.
Policy parse_policy(std::string_view text, std::string_view name);

// `options` of a tag's quantizer after the changes, in their order. A usage error, with the place
// of the change at fault, for what no quantizer of the tag can be.
QuantOptions changed(QuantOptions options, Tag tag, const std::vector<PolicyChange>& changes);

// One line per attribute for docs/options.md: names, values, meaning.
struct AttributeText {
  std::string names, values, help;
};
std::vector<AttributeText> policy_attributes();

}  // namespace lowbit::config
