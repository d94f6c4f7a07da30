// A run: from options to a trained, saved and evaluated network.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "lowbit/checkpoint/checkpoint_file.h"
#include "lowbit/config/parse.h"
#include "lowbit/run/changed_options.h"
#include "lowbit/run/observer.h"
#include "lowbit/run/run_files.h"
#include "lowbit/run/run_record.h"
#include "lowbit/run/run_start.h"
#include "lowbit/run/run_state.h"
#include "lowbit/run/save_clock.h"
#include "lowbit/run/saved_states.h"
#include "lowbit/train/device.h"
#include "lowbit/train/step.h"
#include "lowbit/train/validation.h"

namespace lowbit::train {

class Trainer {
 public:
  // Builds the network, loads weights and the validation set. Errors of kind usage for options that
  // do not fit together, of kind failure for files. Observer and group outlive the trainer. start:
  // where the run goes on; by default find_start of the options. group: the processes that train
  // together, each with a trainer of the same options and start; null: this one alone.
  Trainer(const config::Configuration& configuration, run::Observer& observer);
  Trainer(const config::Configuration& configuration, run::Observer& observer, run::RunStart start,
          distributed::Group* group = nullptr);

  // One pass over the validation set.
  run::Accuracy evaluate();

  // Trains the epochs that are left; logs and saves each, and within them as --save_every says; a
  // new run also saves its start. Of several processes the one that leads the group does. Stops
  // early, saved, when a signal arrives (core::catch_interrupts). before_epochs is called when all
  // is ready, before the first epoch. A loss that is not finite is an
  // Error (failure) that names the epoch, the iteration and the first layer whose output is not
  // finite; the last checkpoint stays.
  run::RunResult train(const std::function<void()>& before_epochs = [] {});

  const models::Network& network() const { return *network_; }
  // The file whose weights the network began with, and how it fitted; empty without one.
  const std::string& loaded_file() const { return loaded_file_; }
  const checkpoint::LoadReport& loaded() const { return loaded_; }
  const run::RunFiles& files() const { return files_; }

 private:
  // What exists only while training.
  struct Training {
    Training(Trainer& trainer);
    TrainingParts parts(Trainer& trainer);

    std::unique_ptr<optim::Optimizer> optimizer;
    optim::LossScaler scaler;
    EpochTotals totals;
    std::unique_ptr<data::BatchSource> source;
    optim::Update update;
    std::optional<Mixup> mixup;
    std::shared_ptr<models::Network> teacher;
    std::optional<optim::GradientBuckets> buckets;  // with other processes
    BatchLoop loop;
    run::RunPosition position;
    run::SavedStates saved;
    run::SaveClock save_clock;
    std::vector<double> images_per_second;  // by epoch
  };

  bool leads() const { return !group_ || group_->leads(); }
  // What depends on clocks and signals is decided by all processes together, behind some steps: the
  // largest of their numbers.
  bool decides_behind(int64_t step) const;
  int64_t together(int64_t number) const { return group_ ? group_->largest(number) : number; }
  bool save_is_due(Training& training, int64_t step) const;
  // The statistics of norms are process 0's, unless all have the same.
  void share_statistics() const;
  // An Error (failure) where processes have come apart: other than these statistics, all that is
  // trained has the same bits everywhere after every step.
  void check_equal(const Training& training) const;

  // Usage errors where processes see other data, or go on from another state.
  void agree_on_set(const char* name, const data::BatchSource& source) const;
  void agree_on_weights() const;

  void load_weights();
  void load(const checkpoint::Value& file, const std::string& path, run::LoadPurpose purpose);
  checkpoint::LoadScope scope_of_loading() const {
    return {options_.train.resume_scope, options_.train.unresume_scope};
  }
  // The entries of a checkpoint that --resume_scope and --unresume_scope take.
  // What the policy says for the epoch that begins.
  void apply_policy(Training& training);
  // Keyword probe: writes what the step that comes next computes, if it is one of those asked for.
  void probe_step(Training& training);
  void check_classes(const std::vector<std::string>& names) const;
  BatchLoop& validation_steps();
  std::optional<run::Accuracy> full_precision_start();
  std::shared_ptr<models::Network> teacher() const;

  // The fixed batch of the statistics of quantizers.
  torch::Tensor statistics_images(Training& training);

  run::RunPosition restore(Training& training) const;
  // The newest state; by the process that leads.
  void save(Training& training) const;
  // One epoch from training.position on; false if a signal arrived in it.
  bool train_epoch(Training& training);
  // Brings the totals of the epoch into training.position; waits for the device.
  void settle(Training& training);
  // What to say of a network that binarizes what is never below 0; "" of any other.
  std::string one_sided_text(const torch::Tensor& images) const;
  // Throws the error that a loss that is not finite deserves.
  [[noreturn]] void explain_halt(Training& training, const kernels::Totals& totals);
  void report(Training& training, std::chrono::duration<double> seconds, double samples_before);
  void finish_epoch(Training& training, run::RunResult& result);
  // What a checkpoint of this moment holds.
  checkpoint::Value state(const Training& training) const;

  distributed::Group* const group_;
  const torch::Device device_;
  std::unique_ptr<data::BatchSource> training_set_;  // null, or opened before it is trained on
  const config::Options options_;
  const std::string configuration_;  // as checkpoints hold it
  run::Observer& observer_;
  const DeviceScope scope_;
  const StepOptions step_;
  const run::RunFiles files_;
  run::RunRecord record_;
  std::shared_ptr<models::Network> network_;
  std::string loaded_file_;
  std::vector<std::string> loaded_classes_;  // that the file names
  checkpoint::LoadReport loaded_;
  const run::RunStart start_;
  std::unique_ptr<Validation> validation_;
  std::unique_ptr<BatchLoop> validation_steps_;
  std::string one_sided_;  // one_sided_text at the start of training
  int stopped_by_ = 0;     // the signal that stops all processes, 0: none
};

}  // namespace lowbit::train
