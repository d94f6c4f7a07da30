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

// Of the parameters that are trained, in the order of the network: where Sgd keeps their momenta.
std::vector<torch::Tensor> momenta_in_order(const models::Network& network, const Sgd& optimizer) {
  std::vector<torch::Tensor> momenta;
  for (const auto& item : network.named_parameters()) {
    const auto name = std::ranges::find(optimizer.names(), item.key());
    if (name != optimizer.names().end())
      momenta.push_back(
          optimizer.velocities()[static_cast<size_t>(name - optimizer.names().begin())]);
  }
  return momenta;
}

// The momentum of parameter `number`; undefined: it had none yet.
torch::Tensor momentum_of(const Dict& state, int64_t number) {
  for (const auto& [key, entry] : state) {
    const auto* found = key.get_if<int64_t>();
    if (!found || *found != number) continue;
    const Value* momentum = find(&entry, "momentum_buffer");
    const auto* tensor = momentum ? momentum->get_if<torch::Tensor>() : nullptr;
    return tensor ? *tensor : torch::Tensor();
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

// Why the momenta cannot be taken; empty if they have been.
std::string restore_momenta(const Value* saved, const std::vector<torch::Tensor>& momenta) {
  const Value* entry = find(saved, "state");
  const Dict* state = entry ? entry->get_if<Dict>() : nullptr;
  if (!state) return "it has no optimizer state";
  const std::vector<int64_t> numbers = numbers_of(find(saved, "param_groups"));
  if (numbers.size() != momenta.size())
    return fmt::format("its optimizer has {} parameters, this run's {}", numbers.size(),
                       momenta.size());
  std::vector<torch::Tensor> found;
  for (size_t i = 0; i < momenta.size(); ++i) {
    found.push_back(momentum_of(*state, numbers[i]));
    if (found.back().defined() && found.back().sizes() != momenta[i].sizes())
      return fmt::format("parameter {} of its optimizer has another shape", i);
  }
  for (size_t i = 0; i < momenta.size(); ++i)
    if (found[i].defined()) momenta[i].copy_(found[i]);
  return "";
}

// Apex keeps a dict for each loss, torch's GradScaler is one.
std::optional<double> loss_scale(const Value* amp) {
  if (const auto scale = number(find(amp, "scale"))) return scale;
  return number(find(find(amp, "loss_scaler0"), "loss_scale"));
}

}  // namespace

RunPosition restore_foreign_run(const Value& checkpoint, const std::string& path,
                                const models::Network& network, Sgd& optimizer,
                                LossScaler& scaler) {
  const torch::NoGradGuard no_grad;
  RunPosition position;
  position.epoch = next_epoch(checkpoint, path);
  if (const auto best = number(find(&checkpoint, "best_acc")))
    position.best_top1 = *best;
  else
    core::log().warn("{}: it has no best_acc: the best so far counts as 0", path);
  const std::string trouble =
      restore_momenta(find(&checkpoint, "optimizer"), momenta_in_order(network, optimizer));
  if (!trouble.empty()) core::log().warn("{}: {}: momentum begins at 0", path, trouble);
  if (const auto scale = loss_scale(find(&checkpoint, "amp")); scale && *scale > 0)
    scaler.factor().fill_(*scale);
  return position;
}

}  // namespace lowbit::train
