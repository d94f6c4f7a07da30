#include "lowbit/train/run_state.h"

#include "lowbit/core/error.h"

namespace lowbit::train {
namespace {

constexpr const char* own_entry = "lowbit";

// As torch.optim.SGD.state_dict() of named parameters: they are numbered through all groups.
Dict optimizer_state(const Sgd& optimizer, double learning_rate) {
  Dict state;
  for (size_t i = 0; i < optimizer.velocities().size(); ++i)
    state.set(static_cast<int64_t>(i), Dict{{"momentum_buffer", optimizer.velocities()[i]}});
  List groups;
  int64_t number = 0;
  for (const ParameterGroup& group : optimizer.groups()) {
    List numbers, names;
    for (const std::string& name : group.names) {
      numbers.push_back(number++);
      names.push_back(name);
    }
    groups.push_back(Dict{{"lr", learning_rate},
                          {"momentum", optimizer.momentum()},
                          {"dampening", 0.0},
                          {"weight_decay", group.weight_decay},
                          {"nesterov", optimizer.nesterov()},
                          {"maximize", false},
                          {"foreach", Value()},
                          {"differentiable", false},
                          {"fused", Value()},
                          {"params", std::move(numbers)},
                          {"param_names", std::move(names)}});
  }
  return {{"state", std::move(state)}, {"param_groups", std::move(groups)}};
}

// As state_dict() of torch's schedulers, less what differs from class to class: any of them takes
// it and goes on.
Dict scheduler_state(const RunPosition& position, size_t groups, const Rates& rates) {
  return {{"base_lrs", List(groups, rates.base)},
          {"last_epoch", position.epoch},
          {"_step_count", position.epoch + 1},
          {"_get_lr_called_within_step", false},
          {"_last_lr", List(groups, rates.now)}};
}

void restore_optimizer(const Dict& saved, Sgd& optimizer) {
  const Dict& state = saved.at("state").get<Dict>("optimizer.state");
  const auto& velocities = optimizer.velocities();
  if (state.size() != velocities.size())
    throw core::failure("its optimizer has {} parameters, this run's {}", state.size(),
                        velocities.size());
  size_t i = 0;
  for (const auto& [number, entry] : state) {
    const std::string name = fmt::format("optimizer.state[{}]", i);
    const auto& velocity = entry.get<Dict>(name).at("momentum_buffer").get<torch::Tensor>(name);
    if (velocity.sizes() != velocities[i].sizes())
      throw core::failure("{} has another shape than parameter '{}'", name, optimizer.names()[i]);
    velocities[i].copy_(velocity);
    ++i;
  }
}

Dict position_entry(const RunPosition& position) {
  return {{"epoch", position.epoch},          {"samples", position.samples},
          {"loss_sum", position.totals.loss}, {"top1", position.totals.top1},
          {"top5", position.totals.top5},     {"best_epoch", position.best_epoch},
          {"best_top1", position.best_top1}};
}

RunPosition position_from(const Dict& entry) {
  const auto integer = [&](const char* name) { return entry.at(name).get<int64_t>(name); };
  const auto real = [&](const char* name) { return entry.at(name).get<double>(name); };
  RunPosition position;
  position.epoch = static_cast<int>(integer("epoch"));
  position.samples = integer("samples");
  position.totals = {real("loss_sum"), real("top1"), real("top5"),
                     static_cast<double>(position.samples)};
  position.best_epoch = static_cast<int>(integer("best_epoch"));
  position.best_top1 = real("best_top1");
  return position;
}

// Null in another program's file.
const Value* find_own(const Value& checkpoint) {
  const Dict* file = checkpoint.get_if<Dict>();
  return file ? file->find(own_entry) : nullptr;
}

const Dict& own(const Value& checkpoint) {
  const Value* entry = find_own(checkpoint);
  if (!entry) throw core::failure("no checkpoint of this program: it has no '{}' entry", own_entry);
  return entry->get<Dict>(own_entry);
}

}  // namespace

Dict checkpoint_of(const models::Network& network, const Sgd& optimizer, const LossScaler& scaler,
                   const RunPosition& position, const Description& description,
                   const Rates& rates) {
  const torch::NoGradGuard no_grad;
  List class_names;
  for (const std::string& name : description.class_names) class_names.push_back(name);
  return {{"epoch", position.epoch},
          {"state_dict", to_dict(named_tensors(network))},
          {"optimizer", optimizer_state(optimizer, rates.now)},
          {"scheduler", scheduler_state(position, optimizer.groups().size(), rates)},
          {"best_acc", position.best_top1},
          {"learning_rate", rates.now},
          {"amp", Dict{{"scale", scaler.factor()}, {"growth_tracker", scaler.growth_tracker()}}},
          {own_entry, Dict{{"version", 1},
                           {"position", position_entry(position)},
                           {"configuration", description.configuration},
                           {"class_names", std::move(class_names)}}}};
}

bool has_description(const Value& checkpoint) {
  return find_own(checkpoint) != nullptr;
}

Description description_of(const Value& checkpoint, const std::string& path) {
  try {
    const Dict& entry = own(checkpoint);
    Description description{entry.at("configuration").get<std::string>("configuration"), {}};
    for (const Value& name : entry.at("class_names").get<List>("class_names"))
      description.class_names.push_back(name.get<std::string>("class_names"));
    return description;
  } catch (core::Error& error) {
    error.at(path);
    throw;
  }
}

int next_epoch(const Value& checkpoint, const std::string& path) {
  const Dict* file = checkpoint.get_if<Dict>();
  const Value* entry = file ? file->find("epoch") : nullptr;
  const int64_t* epoch = entry ? entry->get_if<int64_t>() : nullptr;
  constexpr int64_t kMost = 1'000'000'000;
  if (!epoch || *epoch < 0 || *epoch > kMost)
    throw core::failure("it does not say in which epoch its run was: use --pretrained").at(path);
  return static_cast<int>(*epoch);
}

RunPosition restore_run(const Value& checkpoint, const std::string& path, models::Network& network,
                        Sgd& optimizer, LossScaler& scaler) {
  const torch::NoGradGuard no_grad;
  try {
    const RunPosition position =
        position_from(own(checkpoint).at("position").get<Dict>("position"));
    const Dict& file = checkpoint.get<Dict>("the file");
    const LoadReport report = load_state(network, state_dict(checkpoint));
    if (!report.stayed.empty())
      throw core::failure("it lacks '{}' and {} more entries of the network", report.stayed[0],
                          report.stayed.size() - 1);
    restore_optimizer(file.at("optimizer").get<Dict>("optimizer"), optimizer);
    const Dict& amp = file.at("amp").get<Dict>("amp");
    scaler.factor().copy_(amp.at("scale").get<torch::Tensor>("amp.scale"));
    scaler.growth_tracker().copy_(
        amp.at("growth_tracker").get<torch::Tensor>("amp.growth_tracker"));
    return position;
  } catch (core::Error& error) {
    error.at(path);
    throw;
  }
}

}  // namespace lowbit::train
