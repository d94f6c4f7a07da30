#include "lowbit/train/loss.h"

#include <torch/nn/functional/loss.h>

#include "lowbit/core/error.h"

namespace lowbit::train {
namespace {

namespace F = torch::nn::functional;

torch::Tensor criterion(const config::TrainOptions& options, const torch::Tensor& logits,
                        const torch::Tensor& targets) {
  switch (options.criterion) {
    case config::Criterion::cross_entropy:
      return cross_entropy(logits, targets);
    case config::Criterion::label_smooth:
      return smooth_cross_entropy(logits, targets, options.label_smooth);
    case config::Criterion::focal:
      return focal_loss(logits, targets, options.focal_gamma, options.focal_alpha);
  }
  throw core::failure("unknown criterion");
}

torch::Tensor criterion(const config::TrainOptions& options, const torch::Tensor& logits,
                        const Labels& labels) {
  const torch::Tensor first = criterion(options, logits, labels.first);
  if (!labels.second.defined()) return first;
  return labels.share * first + (1 - labels.share) * criterion(options, logits, labels.second);
}

}  // namespace

torch::Tensor cross_entropy(const torch::Tensor& logits, const torch::Tensor& targets) {
  return F::cross_entropy(logits, targets);
}

torch::Tensor smooth_cross_entropy(const torch::Tensor& logits, const torch::Tensor& targets,
                                   double share) {
  return F::cross_entropy(logits, targets, F::CrossEntropyFuncOptions().label_smoothing(share));
}

torch::Tensor focal_loss(const torch::Tensor& logits, const torch::Tensor& targets, double gamma,
                         double alpha) {
  const torch::Tensor yes = torch::zeros_like(logits).scatter(1, targets.unsqueeze(1), 1);
  // p = sigmoid(answer). (1 - p)^gamma by its logarithm: its gradient is finite at 0, too.
  const torch::Tensor answer = logits * (2 * yes - 1);
  torch::Tensor losses = (gamma * torch::log_sigmoid(-answer)).exp() * -torch::log_sigmoid(answer);
  if (alpha >= 0) losses = losses * (alpha * yes + (1 - alpha) * (1 - yes));
  return losses.sum(1).mean();
}

torch::Tensor distillation_loss(config::DistillLoss kind, const torch::Tensor& logits,
                                const torch::Tensor& teacher_logits, double temperature) {
  if (kind == config::DistillLoss::hard) return cross_entropy(logits, teacher_logits.argmax(1));
  const torch::Tensor log_p = torch::log_softmax(logits / temperature, 1);
  const torch::Tensor log_q = torch::log_softmax(teacher_logits / temperature, 1);
  if (kind == config::DistillLoss::soft_b) return -(log_q.exp() * log_p).sum(1).mean();
  return temperature * temperature * (log_q.exp() * (log_q - log_p)).mean();
}

torch::Tensor training_loss(const config::TrainOptions& options, const torch::Tensor& logits,
                            const Labels& labels, const torch::Tensor& teacher_logits) {
  const torch::Tensor own = criterion(options, logits, labels);
  if (!teacher_logits.defined()) return own;
  const double alpha = options.distill_alpha;
  return (1 - alpha) * own + alpha * distillation_loss(options.distill_loss, logits, teacher_logits,
                                                       options.distill_temperature);
}

}  // namespace lowbit::train
