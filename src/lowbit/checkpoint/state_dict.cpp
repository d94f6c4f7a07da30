#include "lowbit/checkpoint/state_dict.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "lowbit/core/error.h"
#include "lowbit/models/network.h"

namespace lowbit::checkpoint {
namespace {

bool counts_batches(std::string_view name) {
  return name.ends_with("num_batches_tracked");
}

bool single(c10::IntArrayRef sizes) {
  return sizes.empty() || (sizes.size() == 1 && sizes[0] == 1);
}

std::string examples(const NamedTensors& tensors) {
  std::string text;
  for (size_t i = 0; i < std::min<size_t>(tensors.size(), 3); ++i)
    text += fmt::format("{}{} [{}]", i == 0 ? "" : ", ", tensors[i].first,
                        fmt::join(tensors[i].second.sizes(), ", "));
  return text + (tensors.size() > 3 ? ", ..." : "");
}

std::vector<int64_t> without_ones(c10::IntArrayRef sizes) {
  std::vector<int64_t> sides = sizes.vec();
  std::erase(sides, 1);
  return sides;
}

// What a full-precision network does not have.
bool of_quantizer(std::string_view name) {
  return name.find(".quant_") != std::string_view::npos;
}

// What stands before the names of the network in most names of the file, "" where leaving it off
// would not help.
std::string common_prefix(const NamedTensors& network, const StateDict& file) {
  std::unordered_set<std::string_view> targets;
  size_t weights = 0, longest = 0;
  for (const auto& [name, tensor] : network) {
    targets.insert(name);
    longest = std::max(longest, name.size());
    if (!of_quantizer(name) && !counts_batches(name)) ++weights;
  }
  std::map<std::string_view, size_t> hits;  // by prefix
  size_t plain = 0;
  for (const auto& [name, tensor] : file.tensors) {
    if (counts_batches(name) || of_quantizer(name)) continue;
    const std::string_view whole = name;
    plain += targets.contains(whole);
    // Longer beginnings alone leave a name that the network may have.
    const size_t first = whole.size() > longest ? whole.size() - longest - 1 : 0;
    for (size_t dot = whole.find('.', first); dot != whole.npos; dot = whole.find('.', dot + 1))
      if (targets.contains(whole.substr(dot + 1))) ++hits[whole.substr(0, dot + 1)];
  }
  const auto most =
      std::ranges::max_element(hits, {}, [](const auto& each) { return each.second; });
  const bool helps = most != hits.end() && most->second > plain && 2 * most->second > weights;
  return helps ? std::string(most->first) : "";
}

// What lies under its new name already gives way: the others are behind the prefix, too.
void drop_prefix(const std::string& prefix, StateDict& state) {
  if (prefix.empty()) return;
  std::unordered_set<std::string> behind;
  for (auto& [name, tensor] : state.tensors)
    if (name.starts_with(prefix)) behind.insert(name.substr(prefix.size()));
  std::erase_if(state.tensors, [&](const auto& entry) {
    const bool shadowed = behind.contains(entry.first);
    if (shadowed) state.shadowed.push_back(entry.first);
    return shadowed;
  });
  for (auto& [name, tensor] : state.tensors)
    if (name.starts_with(prefix)) name.erase(0, prefix.size());
  for (auto& [name, kind] : state.unreadable)
    if (name.starts_with(prefix)) name.erase(0, prefix.size());
}

}  // namespace

NamedTensors named_tensors(const torch::nn::Module& network) {
  NamedTensors tensors;
  for (const models::NamedTensor& entry : models::state_of(network))
    tensors.emplace_back(entry.name, entry.tensor.detach());
  return tensors;
}

Dict to_dict(const NamedTensors& tensors) {
  std::vector<Dict::Entry> entries;
  for (const auto& [name, tensor] : tensors) entries.emplace_back(name, tensor);
  return Dict(std::move(entries));
}

bool LoadScope::takes(const std::string& name) const {
  const auto in_name = [&name](const std::string& part) {
    return name.find(part) != std::string::npos;
  };
  return (only.empty() || std::ranges::any_of(only, in_name)) &&
         std::ranges::none_of(without, in_name);
}

NamedTensors in_scope(NamedTensors tensors, const LoadScope& scope) {
  const auto require = [&tensors](const std::vector<std::string>& parts, const char* option) {
    for (const std::string& part : parts)
      if (std::ranges::none_of(tensors, [&part](const auto& entry) {
            return entry.first.find(part) != std::string::npos;
          }))
        throw core::usage_error("{}: no entry of the checkpoint has '{}' in its name", option, part)
            .detail("the file has: " + examples(tensors));
  };
  require(scope.only, "--resume_scope");
  require(scope.without, "--unresume_scope");
  std::erase_if(tensors, [&scope](const auto& entry) { return !scope.takes(entry.first); });
  if (tensors.empty())
    throw core::usage_error("--resume_scope and --unresume_scope leave nothing to load");
  return tensors;
}

void require_finite(const torch::nn::Module& network) {
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : named_tensors(network)) {
    if (!tensor.is_floating_point()) continue;
    const torch::Tensor finite = tensor.isfinite();
    if (!finite.all().item<bool>())
      throw core::failure("'{}' holds {}: {} of its {} values are not finite", name,
                          tensor.isnan().any().item<bool>() ? "NaN" : "an infinity",
                          tensor.numel() - finite.sum().item<int64_t>(), tensor.numel());
    if (name.ends_with("running_var") && tensor.lt(0).any().item<bool>())
      throw core::failure("'{}' holds a variance below zero, {}", name,
                          tensor.min().item<double>());
  }
}

LoadReport load_state(torch::nn::Module& network, const NamedTensors& tensors) {
  const torch::NoGradGuard no_grad;
  std::unordered_map<std::string_view, const torch::Tensor*> sources;
  for (const auto& [name, tensor] : tensors) sources[name] = &tensor;

  LoadReport report;
  std::unordered_set<std::string_view> used;
  const NamedTensors targets = named_tensors(network);
  for (const auto& [name, target] : targets) {
    const auto found = sources.find(name);
    if (found == sources.end()) {
      if (!counts_batches(name)) report.stayed.push_back(name);
      continue;
    }
    const torch::Tensor& source = *found->second;
    if (source.numel() != target.numel()) {
      report.stayed.push_back(fmt::format("{} [{}], in the file [{}]", name,
                                          fmt::join(target.sizes(), ", "),
                                          fmt::join(source.sizes(), ", ")));
      continue;
    }
    if (without_ones(source.sizes()) != without_ones(target.sizes()))
      throw core::failure(
          "'{}' is [{}] in the file and [{}] in the network: the same number of "
          "values, in another order",
          name, fmt::join(source.sizes(), ", "), fmt::join(target.sizes(), ", "));
    if (target.is_floating_point() && target.dim() > 1 && !source.is_floating_point())
      throw core::failure("'{}' holds whole numbers ({}), which are no weights without their scale",
                          name, c10::toString(source.scalar_type()));
    if (source.sizes() != target.sizes() && !(single(source.sizes()) && single(target.sizes())))
      report.reshaped.push_back(name);
    target.copy_(source.reshape(target.sizes()));
    used.insert(name);
  }
  for (const auto& [name, tensor] : tensors)
    if (!used.contains(name) && !counts_batches(name)) report.unused.push_back(name);
  if (used.empty())
    throw core::failure("nothing in the checkpoint fits the network")
        .detail("the network has: " + examples(targets))
        .detail("the file has:    " + examples(tensors));
  return report;
}

LoadReport load_state(torch::nn::Module& network, const Value& file, const LoadScope& scope) {
  StateDict state = read_state(file);
  const NamedTensors targets = named_tensors(network);
  const std::string prefix = common_prefix(targets, state);
  drop_prefix(prefix, state);
  std::unordered_set<std::string_view> wanted;
  for (const auto& [name, tensor] : targets) wanted.insert(name);
  for (const auto& [name, kind] : state.unreadable)
    if (wanted.contains(name) && scope.takes(name))
      throw core::failure("'{}' is {}, which cannot be loaded", name, kind)
          .detail(
              "save it in Python as a plain tensor: .dequantize(), .to_dense(), .real, "
              "torch.from_numpy(...); or leave it out: --unresume_scope");
  LoadReport report = load_state(network, in_scope(std::move(state.tensors), scope));
  report.prefix = prefix;
  report.shadowed = std::move(state.shadowed);
  return report;
}

}  // namespace lowbit::checkpoint
