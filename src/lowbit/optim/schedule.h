// What changes from epoch to epoch and from iteration to iteration: the learning rate, the share of
// proxquant; which checkpoints are kept.
#pragma once

#include <cstdint>

#include "lowbit/config/model_options.h"
#include "lowbit/config/train_options.h"

namespace lowbit::optim {

// All passes over the data: epochs + extra_epoch.
int total_epochs(const config::TrainOptions& options);

// Learning rate in epoch e, counted from 0, of which the share `progress` (0 <= progress < 1) of
// the batches is done, for parameters whose rate starts at `start`. With S = lr_custom_step, k =
// the number of entries of S that are <= e, [last, next) the interval around e that 0, S and epochs
// cut, p(e) = (e - last) / (next - last), and wave(from, p) = eta_min + (from - eta_min) *
// (1 + cos(pi * p)) / 2:
//   decay        start * lr_decay^e
//   fix          start
//   fix_step     start * lr_decay^(e div lr_fix_step)
//   custom_step  start * lr_decay^k
//   poly         eta_min + (start - eta_min) * (1 - p(e))^lr_decay
//   cos          wave(start, p(e))
//   sgdr         wave(start, p(e + progress))
//   sgdr_step    wave(start * lr_decay^k, p(e + progress))
// (cos, sgdr: https://arxiv.org/abs/1608.03983.) From epoch `epochs` on it is that of the last
// epoch; with sgdr and sgdr_step that of its end, eta_min.
double learning_rate(const config::TrainOptions& options, double start, int epoch,
                     double progress = 0);
// Of the parameters without a rate of their own.
inline double learning_rate(const config::TrainOptions& options, int epoch) {
  return learning_rate(options, options.lr, epoch);
}

// Phases at the start of a run, in iterations: one is one batch, counted from 0 through all epochs.
struct Phases {
  int64_t warmup = 0;  // below it the optimizer takes no step: only statistics are gathered
  int64_t wakeup = 0;  // below it the rate is multiplied by iteration / wakeup
};

// batches: those of an epoch. Where a number of iterations is 0, its number of epochs counts.
Phases phases(const config::TrainOptions& options, int64_t batches);

// Puts the iterations of stable_epoch in the place of kStableOfEpochs. They are counted as a
// quantizer counts (quant::Quantizer::iteration), be it in training or in evaluation.
void settle_stable(config::ModelOptions& model, int stable_epoch, int64_t batches);

// The factor of the wake-up.
double wakeup_factor(const Phases& phases, int64_t iteration);

// proxquant (https://arxiv.org/abs/1810.00861): p of epoch e, the share of full precision in every
// quantized tensor (quant::Quantizer::set_proxquant). With s = proxquant_step:
//   s < 10 and a policy with steps (fix_step, custom_step, sgdr, sgdr_step)
//                                                            max(0, 1 - (k + 1) / s)
//   otherwise                                                max(0, 1 - e / s)
// where k is the number of steps that the learning rate has taken.
double proxquant(const config::TrainOptions& options, int proxquant_step, int epoch);

// Whether a copy of the checkpoint is kept after epoch N (counted from 0). With n = N + 1: where n
// is epochs, the last of all epochs, stable_epoch or stable_epoch + extra_epoch; where n mod
// save_freq = save_freq - 1; where the rate steps or restarts (n in lr_custom_step for custom_step
// and sgdr, a multiple of lr_fix_step for fix_step).
bool keeps_copy(const config::TrainOptions& options, int epoch);

}  // namespace lowbit::optim
