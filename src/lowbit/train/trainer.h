// A run: from options to a trained, saved and evaluated network.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "lowbit/config/parse.h"
#include "lowbit/train/checkpoint_file.h"
#include "lowbit/train/device.h"
#include "lowbit/train/observer.h"
#include "lowbit/train/run_files.h"
#include "lowbit/train/run_record.h"
#include "lowbit/train/run_state.h"
#include "lowbit/train/step.h"
#include "lowbit/train/validation.h"

namespace lowbit::train {

class Trainer {
 public:
  // Builds the network, loads weights and the validation set. Errors of kind usage for options that
  // do not fit together, of kind failure for files. The observer outlives the trainer.
  Trainer(const config::Configuration& configuration, Observer& observer);

  // One pass over the validation set.
  Accuracy evaluate();

  // Trains the epochs that are left; logs and saves each. Stops early, saved, when a signal arrives
  // (core::catch_interrupts). A loss that is not finite is an Error (failure) that names the epoch,
  // the iteration and the first layer whose output is not finite; the last checkpoint stays.
  RunResult train();

  const models::Network& network() const { return *network_; }
  const RunFiles& files() const { return files_; }

 private:
  // What exists only while training.
  struct Training {
    Training(Trainer& trainer);

    Sgd optimizer;
    LossScaler scaler;
    EpochTotals totals;
    data::BatchSource source;
    BatchLoop loop;
    RunPosition position;
    std::vector<double> images_per_second;  // by epoch
  };

  void load_weights();
  void check_classes(const std::vector<std::string>& names) const;
  BatchLoop& validation_steps();
  std::optional<Accuracy> full_precision_start();

  // The fixed batch of the statistics of quantizers.
  torch::Tensor statistics_images(Training& training);

  // One epoch from training.position on; false if a signal arrived in it.
  bool train_epoch(Training& training);
  // Throws the error that a loss that is not finite deserves.
  [[noreturn]] void explain_halt(Training& training, const kernels::Totals& totals);
  void report(Training& training, std::chrono::duration<double> seconds, double samples_before);
  void finish_epoch(Training& training, RunResult& result);
  void save(const Training& training, const std::filesystem::path& path) const;

  const torch::Device device_;
  const config::Options options_;
  const std::string configuration_;  // as checkpoints hold it
  Observer& observer_;
  const DeviceScope scope_;
  const StepOptions step_;
  const RunFiles files_;
  RunRecord record_;
  std::shared_ptr<models::Network> network_;
  std::string resumed_path_;
  std::optional<Value> resumed_;  // the checkpoint that is continued
  std::unique_ptr<Validation> validation_;
  std::unique_ptr<BatchLoop> validation_steps_;
};

}  // namespace lowbit::train
