#include "lowbit/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "lowbit/core/error.h"

namespace lowbit::optim {
namespace {

using config::LrPolicy;

// Where the epoch and the share of it that is done stand in their interval, in [0, 1].
double position(const config::TrainOptions& options, int epoch, double progress = 0) {
  int last = 0;
  int next = std::max(options.epochs, epoch + 1);
  for (const int cut : options.lr_custom_step) {
    if (cut <= epoch) last = std::max(last, cut);
    if (cut > epoch) next = std::min(next, cut);
  }
  return (epoch - last + progress) / (next - last);
}

bool goes_by_iterations(LrPolicy policy) {
  return policy == LrPolicy::sgdr || policy == LrPolicy::sgdr_step;
}

bool falls_in_steps(LrPolicy policy) {
  return policy == LrPolicy::fix_step || policy == LrPolicy::custom_step ||
         goes_by_iterations(policy);
}

int entries_up_to(const config::TrainOptions& options, int epoch) {
  return static_cast<int>(std::count_if(options.lr_custom_step.begin(),
                                        options.lr_custom_step.end(),
                                        [epoch](int cut) { return cut <= epoch; }));
}

// The number of steps that the rate has taken, for the policies that have steps.
int steps_taken(const config::TrainOptions& options, int epoch) {
  if (options.lr_policy == LrPolicy::fix_step) return epoch / options.lr_fix_step;
  return entries_up_to(options, epoch);
}

double wave(const config::TrainOptions& options, double from, double position) {
  return options.eta_min +
         (from - options.eta_min) * (1 + std::cos(std::numbers::pi * position)) / 2;
}

bool is_in(const std::vector<int>& list, int number) {
  return std::find(list.begin(), list.end(), number) != list.end();
}

}  // namespace

int total_epochs(const config::TrainOptions& options) {
  return options.epochs + options.extra_epoch;
}

double learning_rate(const config::TrainOptions& options, double start, int epoch,
                     double progress) {
  const int last_epoch = std::max(options.epochs - 1, 0);
  if (epoch > last_epoch) return learning_rate(options, start, last_epoch, 1);
  switch (options.lr_policy) {
    case LrPolicy::decay:
      return start * std::pow(options.lr_decay, epoch);
    case LrPolicy::fix:
      return start;
    case LrPolicy::fix_step:
    case LrPolicy::custom_step:
      return start * std::pow(options.lr_decay, steps_taken(options, epoch));
    case LrPolicy::poly:
      return options.eta_min +
             (start - options.eta_min) * std::pow(1 - position(options, epoch), options.lr_decay);
    case LrPolicy::cos:
      return wave(options, start, position(options, epoch));
    case LrPolicy::sgdr:
      return wave(options, start, position(options, epoch, progress));
    case LrPolicy::sgdr_step:
      return wave(options, start * std::pow(options.lr_decay, steps_taken(options, epoch)),
                  position(options, epoch, progress));
  }
  throw core::failure("unknown learning-rate policy");
}

Phases phases(const config::TrainOptions& options, int64_t batches) {
  const auto iterations = [batches](int64_t given, int64_t epochs) {
    return given > 0 ? given : epochs * batches;
  };
  return {.warmup = iterations(options.warmup, options.warmup_epoch),
          .wakeup = iterations(options.wakeup, options.wakeup_epoch)};
}

void settle_stable(config::ModelOptions& model, int stable_epoch, int64_t batches) {
  for (config::QuantOptions* tag : {&model.fm, &model.wt, &model.ot})
    if (tag->stable == config::kStableOfEpochs)
      tag->stable = static_cast<int>(stable_epoch * batches);
}

double wakeup_factor(const Phases& phases, int64_t iteration) {
  if (iteration >= phases.wakeup) return 1;
  return static_cast<double>(iteration) / static_cast<double>(phases.wakeup);
}

double proxquant(const config::TrainOptions& options, int proxquant_step, int epoch) {
  constexpr int kFirstInEpochs = 10;
  const bool in_steps = proxquant_step < kFirstInEpochs && falls_in_steps(options.lr_policy);
  const int done = in_steps ? steps_taken(options, epoch) + 1 : epoch;
  return std::max(0.0, 1 - static_cast<double>(done) / proxquant_step);
}

bool keeps_copy(const config::TrainOptions& options, int epoch) {
  const int finished = epoch + 1;
  for (const int kept : {options.epochs, total_epochs(options), options.stable_epoch,
                         options.stable_epoch + options.extra_epoch})
    if (finished == kept) return true;
  if (options.save_freq > 0 && finished % options.save_freq == options.save_freq - 1) return true;
  switch (options.lr_policy) {
    case LrPolicy::fix_step:
      return finished % options.lr_fix_step == 0;
    case LrPolicy::custom_step:
    case LrPolicy::sgdr:
      return is_in(options.lr_custom_step, finished);
    default:
      return false;
  }
}

}  // namespace lowbit::optim
