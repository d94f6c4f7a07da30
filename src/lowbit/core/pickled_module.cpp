#include "lowbit/core/pickled_module.h"

#include <algorithm>

#include "lowbit/core/error.h"

namespace lowbit::core {
namespace {

constexpr int kDeepestModule = 100;

}  // namespace

// The value of an entry of a dict; a None if there is none.
const PickleNode& ModuleReader::entry(const PickleNode& dict, std::string_view name) const {
  static const PickleNode none;
  if (dict.kind != PickleKind::dict) return none;
  for (size_t i = 0; i + 1 < dict.items.size(); i += 2)
    if (tree_[dict.items[i]].is_text(name)) return tree_[dict.items[i + 1]];
  return none;
}

bool ModuleReader::is_module(const PickleNode& node) {
  if (node.kind != PickleKind::object) return false;
  const auto [known, added] = known_.emplace(node.state, false);
  if (added) {
    const PickleNode& state = tree_[node.state];
    known->second = entry(state, "_modules").kind == PickleKind::dict &&
                    entry(state, "_parameters").kind == PickleKind::dict;
  }
  return known->second;
}

std::vector<std::pair<std::string, PickleRef>> ModuleReader::state_of(const PickleNode& module) {
  Entries entries;
  add(module, "", 0, entries);
  return entries;
}

void ModuleReader::add(const PickleNode& module, const std::string& prefix, int depth,
                       Entries& entries) {
  if (depth > kDeepestModule) throw failure("damaged: modules are nested too deeply");
  const PickleNode& state = tree_[module.state];
  spend(state.items.size());
  add_own(state, "_parameters", prefix, entries);
  add_own(state, "_buffers", prefix, entries);
  const PickleNode& children = entry(state, "_modules");
  for (size_t i = 0; i + 1 < children.items.size(); i += 2) {
    const PickleNode& child = tree_[children.items[i + 1]];
    const std::string& name = tree_[children.items[i]].text;
    spend(prefix.size() + name.size() + 1);
    if (is_module(child)) add(child, prefix + name + ".", depth + 1, entries);
  }
}

void ModuleReader::add_own(const PickleNode& state, const char* kind, const std::string& prefix,
                           Entries& entries) {
  const PickleNode& own = entry(state, kind);
  const PickleNode& passing = entry(state, "_non_persistent_buffers_set");
  if (own.kind != PickleKind::dict) return;
  for (size_t i = 0; i + 1 < own.items.size(); i += 2) {
    const PickleNode& name = tree_[own.items[i]];
    spend(prefix.size() + name.text.size() + passing.items.size() + 1);
    const bool kept = std::ranges::none_of(
        passing.items, [&](PickleRef item) { return tree_[item].is_text(name.text); });
    if (kept && tree_[own.items[i + 1]].kind != PickleKind::none)
      entries.emplace_back(prefix + name.text, own.items[i + 1]);
  }
}

// A module that stands in many places of a crafted file must not unfold into any size.
void ModuleReader::spend(size_t work) {
  constexpr size_t kFree = 1 << 20, kForEachNode = 64;
  spent_ += work;
  if (spent_ > kFree + kForEachNode * tree_.nodes.size())
    throw failure("damaged: its modules hold more than the file");
}

}  // namespace lowbit::core
