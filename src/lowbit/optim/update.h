// From the gradients of a batch to new weights: unscaled, summed over several batches, clipped, and
// given to the optimizer at its learning rates.
#pragma once

#include <torch/types.h>

#include <optional>
#include <vector>

#include "lowbit/optim/gradient_sum.h"
#include "lowbit/optim/loss_scaler.h"
#include "lowbit/optim/optimizer.h"
#include "lowbit/optim/schedule.h"

namespace lowbit::optim {

// What depends on the iteration is decided on the host by begin() and lies in device scalars, so
// that one captured step serves every iteration.
class Update {
 public:
  // batches: those of an epoch. Optimizer, scaler and options outlive the object. An Error (usage)
  // if iter_size is more than the batches of an epoch.
  Update(Optimizer& optimizer, LossScaler& scaler, const config::TrainOptions& options,
         int64_t batches);

  // Goes on with another optimizer from the next epoch on; it outlives the object.
  void set_optimizer(Optimizer& optimizer);

  // Enqueues what batch `batch` of the epoch needs, both counted from 0: rates, and whether the
  // optimizer takes a step. It does at the last of every iter_size batches; the batches of an
  // epoch that are left over at its end take none.
  void begin(int epoch, int64_t batch);

  // The learning rate of a group at a batch, and without schedule and wake-up.
  double learning_rate(size_t group, int epoch, int64_t batch) const;
  double base_rate(size_t group) const;

  // The loss whose gradients apply() expects.
  torch::Tensor scale(const torch::Tensor& loss) const { return scaler_.scale(loss); }

  // A part of the captured step. gradients: in the order of parameters(). Where `halted` (float32
  // [1]) is 1, nothing changes.
  void apply(const std::vector<torch::Tensor>& gradients, const torch::Tensor& halted);

  const std::vector<torch::Tensor>& parameters() const { return optimizer_->parameters(); }
  Optimizer& optimizer() { return *optimizer_; }
  const Optimizer& optimizer() const { return *optimizer_; }
  LossScaler& scaler() { return scaler_; }
  const LossScaler& scaler() const { return scaler_; }

  // Every tensor that apply() changes and a later step reads, but for the parameters.
  std::vector<torch::Tensor> state() const;

  // The gradients of the batches since the last step, one behind the other; undefined where the
  // next batch begins anew. Needed to go on from here.
  torch::Tensor open_sum() const;
  // names: of the parameters in the order of `sum`; empty: the present order. An Error (failure) if
  // they are not those of the optimizer.
  void restore_sum(const torch::Tensor& sum, const std::vector<std::string>& names);

 private:
  void set_flags(bool first, bool open, bool hold);

  Optimizer* optimizer_;
  LossScaler& scaler_;
  const config::TrainOptions& options_;
  Phases phases_;
  int64_t batches_;
  std::optional<GradientSum> sum_;  // if it is over more than one batch
  bool sum_goes_on_ = false;        // behind the batch that begin() was called for
  // On the device, undefined where they never change: the batch is the first of its group (bool);
  // its group goes on behind it (bool); the optimizer takes no step (float32 [1]).
  torch::Tensor first_, open_, hold_;
};

}  // namespace lowbit::optim
