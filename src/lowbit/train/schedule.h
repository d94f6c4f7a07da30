// What changes from epoch to epoch: the learning rate, the share of proxquant.
#pragma once

#include "lowbit/config/train_options.h"

namespace lowbit::train {

// Learning rate of epoch e, 0 <= e < epochs. With S = lr_custom_step, k = the number of entries of
// S that are <= e, and [last, next) the interval around e that 0, S and epochs cut:
//   decay        lr * lr_decay^e
//   fix          lr
//   fix_step     lr * lr_decay^(e div lr_fix_step)
//   custom_step  lr * lr_decay^k
//   poly         eta_min + (lr - eta_min) * (1 - (e - last) / (next - last))^lr_decay
//   cos          eta_min + (lr - eta_min) * (1 + cos(pi * (e - last) / (next - last))) / 2
// (cos: https://arxiv.org/abs/1608.03983.) The policies per iteration (sgdr, sgdr_step) are a usage
// error here.
double learning_rate(const config::TrainOptions& options, int epoch);

// proxquant (https://arxiv.org/abs/1810.00861): p of epoch e, the share of full precision in every
// quantized tensor (quant::Quantizer::set_proxquant). With s = proxquant_step:
//   s < 10 and a policy with steps (fix_step, custom_step)   max(0, 1 - (k + 1) / s)
//   otherwise                                                max(0, 1 - e / s)
// where k is the number of steps that the learning rate has taken.
double proxquant(const config::TrainOptions& options, int proxquant_step, int epoch);

// Whether a copy of the checkpoint is kept after epoch e (counted from 0): after the last one,
// every save_freq epochs, and where the rate steps (custom_step, fix_step).
bool keeps_copy(const config::TrainOptions& options, int epoch);

}  // namespace lowbit::train
