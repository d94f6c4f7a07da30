#include "lowbit/optim/update.h"

#include <algorithm>
#include <map>

#include "lowbit/core/error.h"
#include "lowbit/optim/gradient_norm.h"

namespace lowbit::optim {

Update::Update(Optimizer& optimizer, LossScaler& scaler, const config::TrainOptions& options,
               int64_t batches)
    : optimizer_(&optimizer),
      scaler_(scaler),
      options_(options),
      phases_(phases(options, batches)),
      batches_(batches) {
  if (options.iter_size > batches)
    throw core::usage_error("--iter-size {} is more than the {} batches of an epoch",
                            options.iter_size, batches);
  const bool sums = options.iter_size > 1;
  const auto device = scaler.factor().device();
  const auto flag = torch::dtype(torch::kBool).device(device);
  if (sums) {
    sum_.emplace(optimizer.parameters());
    first_ = torch::ones({}, flag);
    open_ = torch::zeros({}, flag);
  }
  if (sums || phases_.warmup > 0)
    hold_ = torch::zeros({1}, torch::dtype(torch::kFloat32).device(device));
}

void Update::set_optimizer(Optimizer& optimizer) {
  optimizer_ = &optimizer;
  if (sum_) sum_.emplace(optimizer.parameters());
}

void Update::begin(int epoch, int64_t batch) {
  const int64_t iteration = epoch * batches_ + batch;
  const int64_t place = batch % options_.iter_size;  // in the group
  const bool open = place + 1 < options_.iter_size;
  sum_goes_on_ = open && batch + 1 < batches_;
  set_flags(place == 0, open, open || iteration < phases_.warmup);

  for (size_t group = 0; group < optimizer_->groups().size(); ++group)
    optimizer_->set_learning_rate(group, learning_rate(group, epoch, batch));
}

double Update::base_rate(size_t group) const {
  return optimizer_->groups()[group].rate == RateSource::schedule ? options_.lr
                                                                  : options_.custom_lr;
}

double Update::learning_rate(size_t group, int epoch, int64_t batch) const {
  const double base = base_rate(group);
  if (optimizer_->groups()[group].rate == RateSource::constant) return base;
  const double progress = static_cast<double>(batch) / static_cast<double>(batches_);
  return wakeup_factor(phases_, epoch * batches_ + batch) *
         optim::learning_rate(options_, base, epoch, progress);
}

void Update::set_flags(bool first, bool open, bool hold) {
  if (first_.defined()) first_.fill_(first);
  if (open_.defined()) open_.fill_(open);
  if (hold_.defined()) hold_.fill_(hold ? 1 : 0);
}

void Update::apply(const std::vector<torch::Tensor>& gradients, const torch::Tensor& halted) {
  torch::Tensor skip = scaler_.unscale(gradients, halted);
  std::vector<torch::Tensor> all = gradients;
  if (sum_) {
    all = sum_->add(gradients, first_);
    skip = scaler_.check(all, halted);
  }
  if (options_.grad_clip) all = clip_norm(all, *options_.grad_clip);
  optimizer_->step(all, hold_.defined() ? torch::maximum(skip, hold_) : skip);
  scaler_.update(open_);
}

std::vector<torch::Tensor> Update::state() const {
  std::vector<torch::Tensor> all = {scaler_.factor(), scaler_.growth_tracker()};
  for (const Optimizer::State& state : optimizer_->state())
    all.insert(all.end(), state.tensors.begin(), state.tensors.end());
  if (sum_) all.push_back(sum_->flat());
  return all;
}

torch::Tensor Update::open_sum() const {
  return sum_ && sum_goes_on_ ? sum_->flat() : torch::Tensor();
}

void Update::restore_sum(const torch::Tensor& sum, const std::vector<std::string>& names) {
  if (!sum_) return;
  if (sum.sizes() != sum_->flat().sizes())
    throw core::failure("its sum of gradients has {} numbers, this run's {}", sum.numel(),
                        sum_->flat().numel());
  const torch::NoGradGuard no_grad;
  const std::vector<std::string>& present = optimizer_->names();
  std::map<std::string, torch::Tensor> parts;
  int64_t offset = 0;
  for (const std::string& name : names.empty() ? present : names) {
    const auto place = std::ranges::find(present, name);
    if (place == present.end())
      throw core::failure("its sum of gradients has parameter '{}', this run not", name);
    const int64_t size = parameters()[static_cast<size_t>(place - present.begin())].numel();
    parts[name] = sum.narrow(0, offset, size);
    offset += size;
  }
  offset = 0;
  for (const std::string& name : present) {
    const torch::Tensor& part = parts.at(name);
    sum_->flat().narrow(0, offset, part.numel()).copy_(part);
    offset += part.numel();
  }
}

}  // namespace lowbit::optim
