#include "lowbit/run/run_state.h"

#include <optional>

#include "lowbit/core/error.h"
#include "lowbit/optim/optimizer_state.h"

namespace lowbit::run {
namespace {

constexpr const char* own_entry = "lowbit";
// In it, in the midst of iter_size batches alone: the sum of their gradients so far.
constexpr const char* sum_entry = "gradient_sum";

checkpoint::List numbers(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

// As state_dict() of torch's schedulers, less what differs from class to class: any of them takes
// it and goes on.
checkpoint::Dict scheduler_state(const RunPosition& position, const Rates& rates) {
  return {{"base_lrs", numbers(rates.base)},
          {"last_epoch", position.epoch},
          {"_step_count", position.epoch + 1},
          {"_get_lr_called_within_step", false},
          {"_last_lr", numbers(rates.now)}};
}

checkpoint::Dict position_entry(const RunPosition& position) {
  return {{"epoch", position.epoch},          {"samples", position.samples},
          {"loss_sum", position.totals.loss}, {"top1", position.totals.top1},
          {"top5", position.totals.top5},     {"best_epoch", position.best_epoch},
          {"best_top1", position.best_top1},  {"policy_epoch", position.policy_epoch}};
}

RunPosition position_from(const checkpoint::Dict& entry) {
  const auto integer = [&](const char* name) { return entry.at(name).get<int64_t>(name); };
  const auto real = [&](const char* name) { return entry.at(name).get<double>(name); };
  RunPosition position;
  position.epoch = static_cast<int>(integer("epoch"));
  position.samples = integer("samples");
  position.totals = {real("loss_sum"), real("top1"), real("top5"),
                     static_cast<double>(position.samples)};
  position.best_epoch = static_cast<int>(integer("best_epoch"));
  position.best_top1 = real("best_top1");
  // Files of before there were policies lack it.
  if (entry.find("policy_epoch")) position.policy_epoch = static_cast<int>(integer("policy_epoch"));
  return position;
}

// Null in another program's file.
const checkpoint::Value* find_own(const checkpoint::Value& checkpoint) {
  const checkpoint::Dict* file = checkpoint.get_if<checkpoint::Dict>();
  return file ? file->find(own_entry) : nullptr;
}

constexpr int kMostEpochs = 1'000'000'000;

std::optional<int> find_next_epoch(const checkpoint::Value& checkpoint) {
  const checkpoint::Dict* file = checkpoint.get_if<checkpoint::Dict>();
  const checkpoint::Value* entry = file ? file->find("epoch") : nullptr;
  const int64_t* epoch = entry ? entry->get_if<int64_t>() : nullptr;
  if (!epoch || *epoch < 0 || *epoch > kMostEpochs) return {};
  return static_cast<int>(*epoch);
}

const checkpoint::Dict& own(const checkpoint::Value& checkpoint) {
  const checkpoint::Value* entry = find_own(checkpoint);
  if (!entry) throw core::failure("no checkpoint of this program: it has no '{}' entry", own_entry);
  return entry->get<checkpoint::Dict>(own_entry);
}

}  // namespace

checkpoint::Dict checkpoint_of(const models::Network& network, const optim::Update& update,
                               const RunPosition& position, const Description& description,
                               const Rates& rates) {
  const torch::NoGradGuard no_grad;
  checkpoint::List class_names;
  for (const std::string& name : description.class_names) class_names.push_back(name);
  const optim::LossScaler& scaler = update.scaler();
  checkpoint::Dict ours = {{"version", 1},
                           {"position", position_entry(position)},
                           {"configuration", description.configuration},
                           {"class_names", std::move(class_names)}};
  if (const torch::Tensor sum = update.open_sum(); sum.defined()) ours.set(sum_entry, sum);
  return {{"epoch", position.epoch},
          {"state_dict", checkpoint::to_dict(checkpoint::named_tensors(network))},
          {"optimizer", optim::optimizer_state(update.optimizer(), rates.now)},
          {"scheduler", scheduler_state(position, rates)},
          {"best_acc", position.best_top1},
          {"learning_rate", rates.schedule},
          {"amp", checkpoint::Dict{{"scale", scaler.factor()},
                                   {"growth_tracker", scaler.growth_tracker()}}},
          {own_entry, std::move(ours)}};
}

bool has_description(const checkpoint::Value& checkpoint) {
  return find_own(checkpoint) != nullptr;
}

Description description_of(const checkpoint::Value& checkpoint, const std::string& path) {
  try {
    const checkpoint::Dict& entry = own(checkpoint);
    Description description{entry.at("configuration").get<std::string>("configuration"), {}};
    for (const checkpoint::Value& name :
         entry.at("class_names").get<checkpoint::List>("class_names"))
      description.class_names.push_back(name.get<std::string>("class_names"));
    return description;
  } catch (core::Error& error) {
    error.at(path);
    throw;
  }
}

int policy_epoch_of(const checkpoint::Value& checkpoint) {
  if (has_description(checkpoint))
    return position_from(own(checkpoint).at("position").get<checkpoint::Dict>("position"))
        .policy_epoch;
  return find_next_epoch(checkpoint).value_or(kMostEpochs) - 1;
}

int next_epoch(const checkpoint::Value& checkpoint, const std::string& path) {
  if (const std::optional<int> epoch = find_next_epoch(checkpoint)) return *epoch;
  throw core::failure("it does not say in which epoch its run was: use --pretrained").at(path);
}

RunPosition restore_run(const checkpoint::Value& checkpoint, const std::string& path,
                        optim::Update& update) {
  const torch::NoGradGuard no_grad;
  try {
    const RunPosition position =
        position_from(own(checkpoint).at("position").get<checkpoint::Dict>("position"));
    const checkpoint::Dict& file = checkpoint.get<checkpoint::Dict>("the file");
    const checkpoint::Value& optimizer = file.at("optimizer");
    optim::restore_optimizer(optimizer, update.optimizer().names(), update.optimizer(), path);
    if (const checkpoint::Value* sum = own(checkpoint).find(sum_entry))
      update.restore_sum(sum->get<torch::Tensor>(sum_entry), optim::saved_names(optimizer));
    const checkpoint::Dict& amp = file.at("amp").get<checkpoint::Dict>("amp");
    update.scaler().factor().copy_(amp.at("scale").get<torch::Tensor>("amp.scale"));
    update.scaler().growth_tracker().copy_(
        amp.at("growth_tracker").get<torch::Tensor>("amp.growth_tracker"));
    return position;
  } catch (core::Error& error) {
    error.at(path);
    throw;
  }
}

}  // namespace lowbit::run
