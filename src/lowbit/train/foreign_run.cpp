#include "lowbit/train/foreign_run.h"

#include <algorithm>
#include <optional>

#include "lowbit/core/error.h"
#include "lowbit/core/log.h"

namespace lowbit::train {
namespace {

const Value* find(const Value* value, std::string_view name) {
  const Dict* dict = value ? value->get_if<Dict>() : nullptr;
  return dict ? dict->find(name) : nullptr;
}

// A float, an int or a tensor of one element.
std::optional<double> number(const Value* value) {
  if (!value) return {};
  if (const auto* real = value->get_if<double>()) return *real;
  if (const auto* integer = value->get_if<int64_t>()) return static_cast<double>(*integer);
  if (const auto* tensor = value->get_if<torch::Tensor>(); tensor && tensor->numel() == 1)
    return tensor->item<double>();
  return {};
}

// The parameters that are trained, in the order of the network: where the optimizer has them.
std::vector<size_t> places_in_order(const models::Network& network, const Optimizer& optimizer) {
  std::vector<size_t> places;
  for (const auto& item : network.named_parameters()) {
    const auto name = std::ranges::find(optimizer.names(), item.key());
    if (name != optimizer.names().end())
      places.push_back(static_cast<size_t>(name - optimizer.names().begin()));
  }
  return places;
}

// What the file says of the parameter `number` under the name; undefined: nothing yet.
torch::Tensor entry_of(const Dict& state, int64_t number, const std::string& name) {
  for (const auto& [key, entry] : state) {
    const auto* found = key.get_if<int64_t>();
    if (!found || *found != number) continue;
    const Value* value = find(&entry, name);
    if (const auto* tensor = value ? value->get_if<torch::Tensor>() : nullptr) return *tensor;
    const std::optional<double> scalar = train::number(value);  // steps of Adam in older files
    return scalar ? torch::full({}, *scalar) : torch::Tensor();
  }
  return {};
}

// The numbers of all parameters, group after group; nothing if there are no groups.
std::vector<int64_t> numbers_of(const Value* groups) {
  std::vector<int64_t> numbers;
  const List* list = groups ? groups->get_if<List>() : nullptr;
  if (!list) return {};
  for (const Value& group : *list) {
    const Value* parameters = find(&group, "params");
    const List* own = parameters ? parameters->get_if<List>() : nullptr;
    if (!own) continue;
    for (const Value& parameter : *own)
      if (const auto* each = parameter.get_if<int64_t>()) numbers.push_back(*each);
  }
  return numbers;
}

// Why the state of the optimizer cannot be taken; empty if it has been.
std::string take_optimizer_state(const Value* saved, const models::Network& network,
                                 const Optimizer& optimizer) {
  const Value* entry = find(saved, "state");
  const Dict* state = entry ? entry->get_if<Dict>() : nullptr;
  if (!state) return "it has no optimizer state";
  const std::vector<int64_t> numbers = numbers_of(find(saved, "param_groups"));
  const std::vector<size_t> places = places_in_order(network, optimizer);
  if (numbers.size() != places.size())
    return fmt::format("its optimizer has {} parameters, this run's {}", numbers.size(),
                       places.size());
  std::vector<std::pair<torch::Tensor, torch::Tensor>> found;  // ours, and what it becomes
  for (const Optimizer::State& each : optimizer.state())
    for (size_t i = 0; i < places.size(); ++i) {
      const torch::Tensor& own = each.tensors[places[i]];
      const torch::Tensor value = entry_of(*state, numbers[i], each.name);
      if (!value.defined()) continue;
      if (value.sizes() != own.sizes())
        return fmt::format("parameter {} of its optimizer has another shape", i);
      found.emplace_back(own, value);
    }
  for (const auto& [own, value] : found) own.copy_(value);
  return "";
}

// Under the names that training scripts have for it.
std::optional<double> best_of(const Value& checkpoint) {
  for (const char* name : {"best_acc", "best_acc1", "best_prec1", "best_top1"})
    if (const auto best = number(find(&checkpoint, name))) return best;
  return {};
}

// Apex keeps a dict for each loss, torch's GradScaler is one.
std::optional<double> loss_scale(const Value* amp) {
  if (const auto scale = number(find(amp, "scale"))) return scale;
  return number(find(find(amp, "loss_scaler0"), "loss_scale"));
}

}  // namespace

RunPosition restore_foreign_run(const Value& checkpoint, const std::string& path,
                                const models::Network& network, Update& update) {
  const torch::NoGradGuard no_grad;
  RunPosition position;
  position.epoch = next_epoch(checkpoint, path);
  if (const auto best = best_of(checkpoint))
    position.best_top1 = *best;
  else
    core::log().warn("{}: it has no best_acc: the best so far counts as 0", path);
  const std::string trouble =
      take_optimizer_state(find(&checkpoint, "optimizer"), network, update.optimizer());
  if (!trouble.empty()) core::log().warn("{}: {}: momentum begins at 0", path, trouble);
  if (const auto scale = loss_scale(find(&checkpoint, "amp")); scale && *scale > 0)
    update.scaler().factor().fill_(*scale);
  return position;
}

}  // namespace lowbit::train
