// A pass over the validation set.
#pragma once

#include <memory>

#include "lowbit/config/options.h"
#include "lowbit/run/observer.h"
#include "lowbit/train/step.h"

namespace lowbit::train {

class Validation {
 public:
  // Loads the set. Both arguments outlive the object. step: of the run.
  Validation(const config::Options& options, const StepOptions& step);

  // Makes the steps for a network, which outlives them.
  BatchLoop loop_for(models::Network& network, const StepOptions& step);

  // The accuracy of the network that `loop` was made for; it is left in training mode. A loss that
  // is not finite is an Error (failure) that names the first layer. epoch: for the observer.
  run::Accuracy run(models::Network& network, BatchLoop& loop, run::Observer& observer, int epoch);

  // The first `count` images of the set, see train::first_images.
  torch::Tensor first_images(int64_t count) {
    return train::first_images(*source_, step_, options_.data.val_batch, count);
  }

  const std::vector<std::string>& class_names() const { return source_->class_names(); }
  const data::BatchSource& source() const { return *source_; }

 private:
  const config::Options& options_;
  const StepOptions& step_;
  std::unique_ptr<data::BatchSource> source_;
  EpochTotals totals_;
};

// Means and percentages of the sums over an epoch.
run::Accuracy to_accuracy(const kernels::Totals& totals);

}  // namespace lowbit::train
