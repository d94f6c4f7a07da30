// One step of training and one of validation, from the batch to the update.
#pragma once

#include <torch/types.h>

#include <functional>
#include <map>
#include <string>

#include "lowbit/data/batches.h"
#include "lowbit/distributed/group.h"
#include "lowbit/models/network.h"
#include "lowbit/optim/gradient_buckets.h"
#include "lowbit/optim/update.h"
#include "lowbit/train/epoch_totals.h"
#include "lowbit/train/mixup.h"
#include "lowbit/train/replay.h"

namespace lowbit::train {

// How steps of a run compute.
struct StepOptions {
  torch::Device device;
  torch::ScalarType compute_type;       // of images and convolutions
  bool capture;                         // as a CUDA graph
  distributed::Group* group = nullptr;  // of the processes that share each batch; null: this alone
  bool sync_batch_norm = false;

  // What this process takes of batches of `batch` samples.
  distributed::Shard shard(int64_t batch) const;
};

// The network's input and target of a step, at fixed addresses.
struct Batch {
  torch::Tensor images;   // [size, 3, H, W] of compute_type, channels-last
  torch::Tensor targets;  // int64 [size]
  double weight = 1;      // of its mean in the mean over all processes' samples
};

Batch make_batch(int64_t size, const data::BatchSource& source, const StepOptions& options);

// The first `count` samples of the source (fewer, if it has fewer), or of this process's part of
// its batches of `batch` samples; of the type of the parameters. The source stands at epoch 0 then.
torch::Tensor first_images(data::BatchSource& source, const StepOptions& options, int64_t batch,
                           int64_t count);

// Logs how many images the source has skipped since the last time, in all processes, if any. pass:
// "[epoch 3]: training".
void warn_of_skipped(data::BatchSource& source, const StepOptions& options,
                     const std::string& pass);

// For an error message: where in `network` the loss of the batch at sample `first` of the epoch,
// `batch` samples or what is left, stops being finite, "layer 'NAME'" or "the loss itself". Runs
// them in the present mode and moves the cursor. All processes of a group call it and get the same
// answer.
std::string where_not_finite(models::Network& network, data::BatchSource& source,
                             const StepOptions& options, int64_t batch, int64_t first);

// The steps through an epoch. Its last batch is smaller where the set does not divide: each size
// has its own buffers (and graph), made when it is first needed.
class BatchLoop {
 public:
  // batch: samples of all batches but the last; body: what happens to a batch; state: every tensor
  // that it changes and a later step reads.
  BatchLoop(data::BatchSource& source, const StepOptions& options, int64_t batch,
            std::function<void(const Batch&)> body, std::vector<torch::Tensor> state);
  // The steps refer to their loop.
  BatchLoop(const BatchLoop&) = delete;
  BatchLoop& operator=(const BatchLoop&) = delete;

  // The next step begins at another place of the epoch's order.
  void set_position(int64_t position);

  // Enqueues the step on samples position .. position + size - 1 of the epoch's order, or this
  // process's share of them; set_position or the step before stands there.
  void run(int64_t position, int64_t size);

  // For a network whose modules have been replaced: its steps are made anew (and captured).
  void start_over(std::vector<torch::Tensor> state);

  const StepOptions& options() const { return options_; }

 private:
  void run_body(const Batch& batch, bool alone);

  data::BatchSource& source_;
  StepOptions options_;
  distributed::Shard shard_;
  std::function<void(const Batch&)> body_;
  std::vector<torch::Tensor> state_;
  int64_t place_ = 0;                // of the step in the source
  std::map<int64_t, Replay> steps_;  // by size of the batch of all processes
};

// What a training step works on; all of it outlives the step.
struct TrainingParts {
  models::Network& network;
  optim::Update& update;
  EpochTotals& totals;
  const config::TrainOptions& options;  // of the loss
  const Mixup* mixup = nullptr;         // null: samples stay as they are
  models::Network* teacher = nullptr;   // in evaluation mode; null: none
  optim::GradientBuckets* buckets =
      nullptr;  // of the update's parameters; null: this process is alone
};

// Every tensor that a training step changes and a later one reads.
std::vector<torch::Tensor> training_state(const TrainingParts& parts);

// batch: samples of all batches but the last.
BatchLoop training_loop(TrainingParts parts, data::BatchSource& source, const StepOptions& options,
                        int64_t batch);

// The network must be in evaluation mode whenever this loop runs.
BatchLoop validation_loop(models::Network& network, EpochTotals& totals, data::BatchSource& source,
                          const StepOptions& options, int64_t batch);

}  // namespace lowbit::train
