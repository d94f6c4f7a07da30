// A run as TensorBoard shows it (--tensorboard).
#pragma once

#include <filesystem>
#include <vector>

#include "lowbit/events/event_writer.h"
#include "lowbit/models/layer_statistics.h"
#include "lowbit/run/run_tables.h"

namespace lowbit::run {

class EventLog {
 public:
  // A new event file in the folder; it replaces what earlier ones say of `epoch` and later.
  EventLog(const std::filesystem::path& folder, int epoch) : writer_(folder, epoch) {}

  // Scalars loss/, accuracy/, learning_rate, images_per_second, loss_scale and, for each quantizer,
  // clip/LAYER.TAG and error/LAYER.TAG; histograms codes/LAYER.TAG. The step is the epoch.
  void add(const EpochMetrics& metrics, const std::vector<models::QuantizerStatistics>& layers);

 private:
  events::EventWriter writer_;
};

}  // namespace lowbit::run
