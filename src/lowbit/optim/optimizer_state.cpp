#include "lowbit/optim/optimizer_state.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "lowbit/core/error.h"
#include "lowbit/core/log.h"

namespace lowbit::optim {
namespace {

const checkpoint::Value* entry_of(const checkpoint::Value* value, std::string_view name) {
  const checkpoint::Dict* dict = value ? value->get_if<checkpoint::Dict>() : nullptr;
  return dict ? dict->find(name) : nullptr;
}

// The items of a list of every group, one group after the other.
std::vector<const checkpoint::Value*> through_groups(const checkpoint::Value& saved,
                                                     const char* list_name) {
  std::vector<const checkpoint::Value*> items;
  const checkpoint::Value* groups = entry_of(&saved, "param_groups");
  const checkpoint::List* list = groups ? groups->get_if<checkpoint::List>() : nullptr;
  if (!list) return {};
  for (const checkpoint::Value& group : *list) {
    const checkpoint::Value* own = entry_of(&group, list_name);
    const checkpoint::List* of_group = own ? own->get_if<checkpoint::List>() : nullptr;
    if (!of_group) return {};
    for (const checkpoint::Value& item : *of_group) items.push_back(&item);
  }
  return items;
}

std::map<int64_t, const checkpoint::Value*> by_number(const checkpoint::Value& saved) {
  std::map<int64_t, const checkpoint::Value*> entries;
  const checkpoint::Value* state = entry_of(&saved, "state");
  const checkpoint::Dict* dict = state ? state->get_if<checkpoint::Dict>() : nullptr;
  if (!dict) throw core::failure("it has no optimizer state");
  for (const auto& [key, entry] : *dict)
    if (const auto* number = key.get_if<int64_t>()) entries[*number] = &entry;
  return entries;
}

// A tensor, or a number as older files have the steps of Adam; undefined: there is none.
torch::Tensor tensor_of(const checkpoint::Value* entry, const std::string& name) {
  const checkpoint::Value* value = entry_of(entry, name);
  if (!value) return {};
  if (const auto* tensor = value->get_if<torch::Tensor>()) return *tensor;
  if (const auto* real = value->get_if<double>()) return torch::full({}, *real);
  if (const auto* integer = value->get_if<int64_t>())
    return torch::full({}, static_cast<double>(*integer));
  return {};
}

std::set<std::string> kinds_of(const std::map<int64_t, const checkpoint::Value*>& entries) {
  std::set<std::string> kinds;
  for (const auto& [number, entry] : entries)
    if (const checkpoint::Dict* dict = entry->get_if<checkpoint::Dict>())
      for (const auto& [key, value] : *dict)
        if (const auto* name = key.get_if<std::string>(); name && value.get_if<torch::Tensor>())
          kinds.insert(*name);
  return kinds;
}

// An optimizer that has taken no step holds nothing, and fits any.
void require_same_kind(const std::map<int64_t, const checkpoint::Value*>& entries,
                       const std::vector<Optimizer::State>& own) {
  const std::set<std::string> kinds = kinds_of(entries);
  if (kinds.empty()) return;
  for (const Optimizer::State& state : own) {
    if (kinds.contains(state.name) || state.name == "step") continue;
    const char* other = kinds.contains("exp_avg")           ? "Adam"
                        : kinds.contains("momentum_buffer") ? "SGD"
                                                            : "another optimizer";
    throw core::failure("its optimizer is {} (it holds {}), not the one of '--optimizer'", other,
                        fmt::join(kinds, ", "))
        .detail(
            "give the --optimizer of that run to go on with it, or start a new run from its "
            "weights with --pretrained");
  }
}

std::vector<int64_t> without_ones(torch::IntArrayRef sizes) {
  std::vector<int64_t> result;
  std::ranges::copy_if(sizes, std::back_inserter(result), [](int64_t side) { return side != 1; });
  return result;
}

// The number of each parameter in the file.
std::map<std::string, int64_t> numbers_by_name(const checkpoint::Value& saved,
                                               const std::vector<std::string>& order) {
  std::vector<std::string> names = saved_names(saved);
  const std::vector<const checkpoint::Value*> numbers = through_groups(saved, "params");
  const bool named = !names.empty() && names.size() == numbers.size();
  if (!named) names = order;
  if (names.size() != numbers.size())
    throw core::failure("its optimizer has {} parameters without names, this run's {}",
                        numbers.size(), names.size());
  std::map<std::string, int64_t> by_name;
  for (size_t i = 0; i < names.size(); ++i)
    if (const auto* number = numbers[i]->get_if<int64_t>()) by_name[names[i]] = *number;
  return by_name;
}

}  // namespace

checkpoint::Dict optimizer_state(const Optimizer& optimizer, const std::vector<double>& rates) {
  const std::vector<Optimizer::State> gathered = optimizer.state();
  checkpoint::Dict state;
  for (size_t i = 0; i < optimizer.parameters().size(); ++i) {
    checkpoint::Dict entry;
    for (const Optimizer::State& each : gathered) entry.set(each.name, each.tensors[i]);
    state.set(static_cast<int64_t>(i), std::move(entry));
  }
  checkpoint::List groups;
  int64_t number = 0;
  for (size_t i = 0; i < optimizer.groups().size(); ++i) {
    const ParameterGroup& group = optimizer.groups()[i];
    checkpoint::List numbers, names;
    for (const std::string& name : group.names) {
      numbers.push_back(number++);
      names.push_back(name);
    }
    checkpoint::Dict entry = optimizer.settings(group);
    entry.set("lr", rates[i]);
    entry.set("params", std::move(numbers));
    entry.set("param_names", std::move(names));
    groups.push_back(std::move(entry));
  }
  return {{"state", std::move(state)}, {"param_groups", std::move(groups)}};
}

std::vector<std::string> saved_names(const checkpoint::Value& saved) {
  constexpr std::string_view kParallelPrefix = "module.";
  std::vector<std::string> names;
  for (const checkpoint::Value* item : through_groups(saved, "param_names")) {
    const auto* name = item->get_if<std::string>();
    if (!name) return {};
    names.push_back(name->starts_with(kParallelPrefix) ? name->substr(kParallelPrefix.size())
                                                       : *name);
  }
  return names;
}

size_t saved_parameters(const checkpoint::Value& saved) {
  return through_groups(saved, "params").size();
}

void restore_optimizer(const checkpoint::Value& saved, const std::vector<std::string>& order,
                       const Optimizer& optimizer, const std::string& path) {
  const torch::NoGradGuard no_grad;
  const std::map<int64_t, const checkpoint::Value*> entries = by_number(saved);
  const std::vector<Optimizer::State> own = optimizer.state();
  require_same_kind(entries, own);
  const std::map<std::string, int64_t> numbers = numbers_by_name(saved, order);
  std::vector<std::pair<torch::Tensor, torch::Tensor>> found;  // ours, and what it becomes
  std::vector<std::string> missing;
  for (size_t i = 0; i < optimizer.names().size(); ++i) {
    const std::string& name = optimizer.names()[i];
    const auto number = numbers.find(name);
    const auto entry = number == numbers.end() ? entries.end() : entries.find(number->second);
    const size_t before = found.size();
    for (const Optimizer::State& state : own) {
      const torch::Tensor value =
          entry == entries.end() ? torch::Tensor() : tensor_of(entry->second, state.name);
      if (!value.defined()) continue;
      const torch::Tensor& mine = state.tensors[i];
      if (without_ones(value.sizes()) != without_ones(mine.sizes()))
        throw core::failure("'{}' of parameter '{}' in its optimizer is [{}], here [{}]",
                            state.name, name, fmt::join(value.sizes(), ", "),
                            fmt::join(mine.sizes(), ", "))
            .detail(
                "the network or the order of its parameters is another one; --pretrained takes "
                "the weights alone");
      found.emplace_back(mine, value.reshape(mine.sizes()));
    }
    if (found.size() == before) missing.push_back(name);
  }
  for (const auto& [mine, value] : found) mine.copy_(value);
  if (!missing.empty())
    core::log().warn(
        "{}: its optimizer has no state of {} of {} parameters, which begin at 0: {}{}", path,
        missing.size(), optimizer.names().size(), missing.front(),
        missing.size() > 1 ? ", ..." : "");
}

}  // namespace lowbit::optim
