// What a run leaves in its folder for people and for `lowbit report`: its configuration, a table of
// epochs, a table of quantizers and, with --tensorboard, event files.
#pragma once

#include <torch/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "lowbit/config/parse.h"
#include "lowbit/models/layer_statistics.h"
#include "lowbit/run/observer.h"
#include "lowbit/run/run_files.h"
#include "lowbit/run/run_tables.h"

namespace lowbit::run {

class EventLog;

class RunRecord {
 public:
  RunRecord(const config::Configuration& configuration, RunFiles files);
  ~RunRecord();

  // Begins the files, or goes on with them where `epoch` epochs are done: rows of later ones, which
  // a run that was stopped may have left, are dropped. `images` [B, 3, H, W], on the device of the
  // network and of the type of its parameters: the batch on which quantizers are measured.
  void start(int epoch, const std::optional<Accuracy>& full_precision_start,
             models::Network& network, const torch::Tensor& images);

  // Appends an epoch; its seconds are those since the last one, or the start.
  void add(EpochMetrics metrics, models::Network& network);

 private:
  void write_run(const std::optional<Accuracy>& full_precision_start) const;
  void log_lines(const std::vector<models::QuantizerStatistics>& layers) const;

  const config::TrainOptions& options() const { return configuration_.options.train; }

  const config::Configuration configuration_;
  const RunFiles files_;
  torch::Tensor images_;
  std::unique_ptr<EventLog> events_;  // null without --tensorboard
  std::chrono::steady_clock::time_point last_row_;
};

}  // namespace lowbit::run
