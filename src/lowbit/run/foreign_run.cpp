#include "lowbit/run/foreign_run.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "lowbit/core/error.h"
#include "lowbit/core/log.h"
#include "lowbit/optim/optimizer_state.h"

namespace lowbit::run {
namespace {

const checkpoint::Value* find(const checkpoint::Value* value, std::string_view name) {
  const checkpoint::Dict* dict = value ? value->get_if<checkpoint::Dict>() : nullptr;
  return dict ? dict->find(name) : nullptr;
}

// A float, an int or a tensor of one element.
std::optional<double> number(const checkpoint::Value* value) {
  if (!value) return {};
  if (const auto* real = value->get_if<double>()) return *real;
  if (const auto* integer = value->get_if<int64_t>()) return static_cast<double>(*integer);
  if (const auto* tensor = value->get_if<torch::Tensor>(); tensor && tensor->numel() == 1)
    return tensor->item<double>();
  return {};
}

// The parameters that are trained, in the order of the network.
std::vector<std::string> trained_in_order(const models::Network& network,
                                          const optim::Optimizer& optimizer) {
  std::vector<std::string> names;
  for (const auto& item : network.named_parameters())
    if (std::ranges::count(optimizer.names(), item.key())) names.push_back(item.key());
  return names;
}

// Why the state of the optimizer cannot be taken and momentum begins at 0; empty if it has been.
std::string take_optimizer_state(const checkpoint::Value* saved, const models::Network& network,
                                 const optim::Optimizer& optimizer, const std::string& path) {
  if (!find(saved, "state")) return "it has no optimizer state";
  const size_t count = optim::saved_parameters(*saved);
  const std::vector<std::string> order = trained_in_order(network, optimizer);
  if (optim::saved_names(*saved).empty() && count != order.size())
    return fmt::format("its optimizer has {} parameters, this run's {}", count, order.size());
  optim::restore_optimizer(*saved, order, optimizer, path);
  return "";
}

// Under the names that training scripts have for it. No accuracy is better than NaN: it is none.
std::optional<double> best_of(const checkpoint::Value& checkpoint) {
  for (const char* name : {"best_acc", "best_acc1", "best_prec1", "best_top1"})
    if (const auto best = number(find(&checkpoint, name)); best && std::isfinite(*best))
      return best;
  return {};
}

// Apex keeps a dict for each loss, torch's GradScaler is one.
std::optional<double> loss_scale(const checkpoint::Value* amp) {
  if (const auto scale = number(find(amp, "scale"))) return scale;
  return number(find(find(amp, "loss_scaler0"), "loss_scale"));
}

}  // namespace

RunPosition restore_foreign_run(const checkpoint::Value& checkpoint, const std::string& path,
                                const models::Network& network, optim::Update& update) {
  const torch::NoGradGuard no_grad;
  RunPosition position;
  position.epoch = next_epoch(checkpoint, path);
  if (const auto best = best_of(checkpoint))
    position.best_top1 = *best;
  else
    core::log().warn("{}: it has no finite best_acc: the best so far counts as 0", path);
  // What the policy does in the epochs before is done already (Trainer::load_weights).
  position.policy_epoch = policy_epoch_of(checkpoint);
  std::string trouble;
  try {
    trouble =
        take_optimizer_state(find(&checkpoint, "optimizer"), network, update.optimizer(), path);
  } catch (core::Error& error) {
    error.at(path);
    throw;
  }
  if (!trouble.empty()) core::log().warn("{}: {}: momentum begins at 0", path, trouble);
  if (const auto scale = loss_scale(find(&checkpoint, "amp")); scale && *scale > 0)
    update.scaler().factor().fill_(*scale);
  return position;
}

}  // namespace lowbit::run
