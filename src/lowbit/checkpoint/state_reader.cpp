// Where the weights stand in a file, and under which names.
#include <algorithm>
#include <unordered_set>

#include "lowbit/checkpoint/state_dict.h"
#include "lowbit/core/error.h"

namespace lowbit::checkpoint {
namespace {

// Where training scripts put the weights, the likeliest first; averages after what they are of.
constexpr const char* kWrappers[] = {
    "state_dict", "model",     "model_state_dict", "model_state",
    "net",        "network",   "module",           "weights",
    "params",     "model_ema", "state_dict_ema",   "ema_state_dict",
    "ema",        "params_ema"};
constexpr int kDeepestWrapper = 4;

// least: of dimensions of one of its tensors.
bool holds_tensors(const Dict& dict, int64_t least) {
  return std::ranges::any_of(dict, [&](const Dict::Entry& entry) {
    const auto* tensor = entry.second.get_if<torch::Tensor>();
    return entry.first.get_if<std::string>() && tensor && tensor->dim() >= least;
  });
}

// Looks for the dict of the weights in a tree of Values, in each dict once.
class WeightFinder {
 public:
  // nullptr: no dict of tensors by name is there, or it cannot be told which.
  const Dict* find(const Value& value, int depth = 0) {
    const List* list = value.get_if<List>();
    if (const auto* tuple = value.get_if<Tuple>()) list = &tuple->items;
    if (depth > kDeepestWrapper) return nullptr;
    if (list) return list->size() == 1 ? find(list->front(), depth + 1) : nullptr;
    const Dict* dict = value.get_if<Dict>();
    return dict && seen_.insert(dict).second ? find_in(*dict, depth) : nullptr;
  }

 private:
  const Dict* find_in(const Dict& dict, int depth) {
    for (const char* wrapper : kWrappers)
      if (const Value* entry = dict.find(wrapper))
        if (const Dict* found = find(*entry, depth + 1)) return found;
    if (holds_tensors(dict, 0)) return &dict;
    const Dict* only = nullptr;
    for (const auto& [key, entry] : dict) {
      const Dict* found = key.get_if<std::string>() ? find(entry, depth + 1) : nullptr;
      // A scale or a step is no weight.
      if (!found || !holds_tensors(*found, 2)) continue;
      if (only) return nullptr;
      only = found;
    }
    return only;
  }

  std::unordered_set<const Dict*> seen_;
};

core::Error no_weights(const Value& file) {
  core::Error error =
      core::failure("no checkpoint of a network: it holds no tensors by name, or several networks");
  constexpr size_t kShown = 12;
  std::string entries;
  size_t shown = 0;
  if (const Dict* dict = file.get_if<Dict>())
    for (const auto& [key, value] : *dict) {
      if (++shown > kShown) continue;
      const auto* name = key.get_if<std::string>();
      entries +=
          fmt::format("{}{}: {}", shown > 1 ? ", " : "", name ? *name : key.kind(), value.kind());
    }
  error.detail(entries.empty() ? "it is " + file.kind()
                               : "it has " + entries + (shown > kShown ? ", ..." : ""));
  return error;
}

// Without what DataParallel and torch.compile put around modules.
std::string plain_name(std::string_view name) {
  std::string plain;
  while (!name.empty()) {
    const size_t end = std::min(name.find('.'), name.size() - 1) + 1;
    const std::string_view component = name.substr(0, end);
    if (component != "module." && component != "_orig_mod.") plain += component;
    name.remove_prefix(end);
  }
  return plain;
}

}  // namespace

const Dict& unwrapped(const Value& file) {
  if (const Dict* weights = WeightFinder().find(file)) return *weights;
  if (const Dict* dict = file.get_if<Dict>()) return *dict;
  throw core::failure("no checkpoint of a network: it is {}", file.kind());
}

StateDict read_state(const Value& file) {
  std::unordered_set<std::string_view> as_they_are;
  const Dict& entries = unwrapped(file);
  for (const auto& [key, value] : entries)
    if (const auto* name = key.get_if<std::string>(); name && plain_name(*name) == *name)
      as_they_are.insert(*name);

  StateDict state;
  std::unordered_set<std::string> known;
  for (const auto& [key, value] : entries) {
    const auto* name = key.get_if<std::string>();
    if (!name) continue;
    std::string plain = plain_name(*name);
    const bool shadowed =
        (plain != *name && as_they_are.contains(plain)) || !known.insert(plain).second;
    if (shadowed) {
      state.shadowed.push_back(*name);
      continue;
    }
    if (const auto* tensor = value.get_if<torch::Tensor>())
      state.tensors.emplace_back(std::move(plain), tensor->detach());
    else
      state.unreadable.emplace_back(std::move(plain), value.kind());
  }
  if (state.tensors.empty()) throw no_weights(file);
  return state;
}

NamedTensors state_dict(const Value& file) {
  return read_state(file).tensors;
}

StateDict read_state(const Value& file, const std::string& path) {
  try {
    return read_state(file);
  } catch (core::Error& error) {
    error.at(path);
    throw;
  }
}

}  // namespace lowbit::checkpoint
