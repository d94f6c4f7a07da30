// What a training step minimizes, and the plain cross-entropy that validation counts.
#pragma once

#include <torch/types.h>

#include "lowbit/config/train_options.h"

namespace lowbit::train {

// Here and below: logits [B, classes], float32 or float64; targets int64 [B]; the result is a
// scalar of the logits' type, the mean over the batch.

torch::Tensor cross_entropy(const torch::Tensor& logits, const torch::Tensor& targets);

// Cross-entropy to a target that has 1 - share of its weight on its class and `share` evenly on all
// classes. Szegedy et al., https://arxiv.org/abs/1512.00567, section 7
torch::Tensor smooth_cross_entropy(const torch::Tensor& logits, const torch::Tensor& targets,
                                   double share);

// Sum over the classes, each taken as a yes-or-no question whose answer the sigmoid of its logit
// gives with probability p: -(1 - p)^gamma log(p); times alpha where the answer is yes and
// 1 - alpha where it is no, if alpha >= 0. Lin et al., https://arxiv.org/abs/1708.02002, equation 5
torch::Tensor focal_loss(const torch::Tensor& logits, const torch::Tensor& targets, double gamma,
                         double alpha);

// How far a student is from its teacher, Hinton et al., https://arxiv.org/abs/1503.02531. With p
// and q the softmax of the student's and of the teacher's logits, both divided by T first:
//   soft    T^2 * mean over samples and classes of q log(q / p)
//   soft_b  mean over samples of the sum over classes of -q log p
//   hard    cross-entropy of the student, T = 1, to the teacher's best class
// (The mean over the classes, too, in `soft` is that of the toolbox whose configs this reads: 1 /
// classes of the usual Kullback-Leibler divergence.)
torch::Tensor distillation_loss(config::DistillLoss kind, const torch::Tensor& logits,
                                const torch::Tensor& teacher_logits, double temperature);

// The labels of a batch: `second` and `share` only for mixtures of samples (train/mixup.h).
struct Labels {
  torch::Tensor first;   // int64 [B]
  torch::Tensor second;  // int64 [B]
  torch::Tensor share;   // of the first, float32 scalar on the device
};

// (1 - alpha) * criterion(labels) + alpha * distillation, alpha = distill_alpha; without a teacher
// (undefined teacher_logits) the criterion alone. Of mixtures: share * criterion(first) + (1 -
// share) * criterion(second).
torch::Tensor training_loss(const config::TrainOptions& options, const torch::Tensor& logits,
                            const Labels& labels, const torch::Tensor& teacher_logits);

}  // namespace lowbit::train
