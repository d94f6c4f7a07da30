#include "lowbit/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "lowbit/core/error.h"

namespace lowbit::train {
namespace {

using config::LrPolicy;

// Where the epoch stands in its interval, in [0, 1).
double position(const config::TrainOptions& options, int epoch) {
  int last = 0;
  int next = std::max(options.epochs, epoch + 1);
  for (const int cut : options.lr_custom_step) {
    if (cut <= epoch) last = std::max(last, cut);
    if (cut > epoch) next = std::min(next, cut);
  }
  return static_cast<double>(epoch - last) / (next - last);
}

bool falls_in_steps(LrPolicy policy) {
  return policy == LrPolicy::fix_step || policy == LrPolicy::custom_step;
}

// The number of steps that the rate has taken, for the two policies that have steps.
int steps_taken(const config::TrainOptions& options, int epoch) {
  if (options.lr_policy == LrPolicy::fix_step) return epoch / options.lr_fix_step;
  return static_cast<int>(std::count_if(options.lr_custom_step.begin(),
                                        options.lr_custom_step.end(),
                                        [epoch](int cut) { return cut <= epoch; }));
}

}  // namespace

double learning_rate(const config::TrainOptions& options, int epoch) {
  const double range = options.lr - options.eta_min;
  switch (options.lr_policy) {
    case LrPolicy::decay:
      return options.lr * std::pow(options.lr_decay, epoch);
    case LrPolicy::fix:
      return options.lr;
    case LrPolicy::fix_step:
    case LrPolicy::custom_step:
      return options.lr * std::pow(options.lr_decay, steps_taken(options, epoch));
    case LrPolicy::poly:
      return options.eta_min + range * std::pow(1 - position(options, epoch), options.lr_decay);
    case LrPolicy::cos:
      return options.eta_min +
             range * (1 + std::cos(std::numbers::pi * position(options, epoch))) / 2;
    case LrPolicy::sgdr:
    case LrPolicy::sgdr_step:
      break;
  }
  throw core::usage_error("learning-rate policies sgdr and sgdr_step are not built yet");
}

double proxquant(const config::TrainOptions& options, int proxquant_step, int epoch) {
  constexpr int kFirstInEpochs = 10;
  const bool in_steps = proxquant_step < kFirstInEpochs && falls_in_steps(options.lr_policy);
  const int done = in_steps ? steps_taken(options, epoch) + 1 : epoch;
  return std::max(0.0, 1 - static_cast<double>(done) / proxquant_step);
}

bool keeps_copy(const config::TrainOptions& options, int epoch) {
  const int finished = epoch + 1;
  if (finished == options.epochs) return true;
  if (options.save_freq > 0 && finished % options.save_freq == options.save_freq - 1) return true;
  if (options.lr_policy == LrPolicy::fix_step) return finished % options.lr_fix_step == 0;
  if (options.lr_policy == LrPolicy::custom_step)
    return std::find(options.lr_custom_step.begin(), options.lr_custom_step.end(), finished) !=
           options.lr_custom_step.end();
  return false;
}

}  // namespace lowbit::train
