#include "lowbit/train/state_dict.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "lowbit/core/error.h"
#include "lowbit/models/network.h"

namespace lowbit::train {
namespace {

// A network spread over several GPUs saved its names with this.
constexpr std::string_view kParallelPrefix = "module.";

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

}  // namespace

const Dict& unwrapped(const Value& file) {
  const Dict* dict = file.get_if<Dict>();
  if (!dict) throw core::failure("no checkpoint of a network: it is {}", file.kind());
  for (const char* wrapper : {"state_dict", "model"}) {
    const Value* entry = dict->find(wrapper);
    if (entry && entry->get_if<Dict>()) return *entry->get_if<Dict>();
  }
  return *dict;
}

NamedTensors state_dict(const Value& file) {
  NamedTensors tensors;
  for (const auto& [key, value] : unwrapped(file)) {
    const auto* name = key.get_if<std::string>();
    const auto* tensor = value.get_if<torch::Tensor>();
    if (!name || !tensor) continue;
    const size_t begin = name->starts_with(kParallelPrefix) ? kParallelPrefix.size() : 0;
    tensors.emplace_back(name->substr(begin), tensor->detach());
  }
  if (tensors.empty())
    throw core::failure("no checkpoint of a network: it holds no tensors by name");
  return tensors;
}

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
    if (source.sizes() != target.sizes() && !(single(source.sizes()) && single(target.sizes())))
      report.reshaped.push_back(name);
    target.copy_(source.reshape(target.sizes()));
    used.insert(name);
  }
  for (const auto& [name, tensor] : tensors)
    if (!used.contains(name) && !counts_batches(name)) report.unused.push_back(name);
  if (used.empty())
    throw core::failure("nothing in the checkpoint fits the network")
        .detail(fmt::format("the network has: {}\nthe file has:    {}", examples(targets),
                            examples(tensors)));
  return report;
}

}  // namespace lowbit::train
