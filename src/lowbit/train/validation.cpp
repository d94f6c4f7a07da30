#include "lowbit/train/validation.h"

#include <algorithm>
#include <chrono>

#include "lowbit/core/error.h"
#include "lowbit/optim/schedule.h"
#include "lowbit/tensor/tensor.h"

namespace lowbit::train {

run::Accuracy to_accuracy(const kernels::Totals& totals) {
  const double samples = std::max(totals.samples, 1.0);
  return {totals.loss / samples, 100 * totals.top1 / samples, 100 * totals.top5 / samples,
          static_cast<int64_t>(totals.samples)};
}

Validation::Validation(const config::Options& options, const StepOptions& step)
    : options_(options),
      step_(step),
      source_(data::open_batches(options.data, data::Split::validation, options.train.seed,
                                 tensor::backend(step.device), step.device, step.shard(1).rank,
                                 step.shard(1).count)),
      totals_(step.device) {}

BatchLoop Validation::loop_for(models::Network& network, const StepOptions& step) {
  return validation_loop(network, totals_, *source_, step, options_.data.val_batch);
}

run::Accuracy Validation::run(models::Network& network, BatchLoop& loop, run::Observer& observer,
                              int epoch) {
  using Clock = std::chrono::steady_clock;
  network.eval();
  source_->start_epoch(0);
  totals_.reset();
  const int64_t size = source_->size();
  const auto start = Clock::now();
  for (int64_t at = 0; at < size; at += options_.data.val_batch) {
    loop.run(at, std::min<int64_t>(options_.data.val_batch, size - at));
    totals_.request();
    const kernels::Totals seen = totals_.latest().totals;
    const std::chrono::duration<double> seconds = Clock::now() - start;
    observer.on_progress({.training = false,
                          .epoch = epoch,
                          .epochs = optim::total_epochs(options_.train),
                          .samples = static_cast<int64_t>(seen.samples),
                          .total = size,
                          .images_per_second = seen.samples / seconds.count(),
                          .loss = to_accuracy(seen).loss});
  }
  const EpochTotals::Reading reading = totals_.read();
  observer.on_pass_end();
  warn_of_skipped(*source_, step_, "validation");
  if (reading.halted) {
    // The totals stand where they stood before the batch that failed.
    const auto first = static_cast<int64_t>(reading.totals.samples);
    throw core::failure(
        "the loss on the validation set is not finite: first in {}",
        where_not_finite(network, *source_, loop.options(), options_.data.val_batch, first));
  }
  network.train();
  return to_accuracy(reading.totals);
}

}  // namespace lowbit::train
