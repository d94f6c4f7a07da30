// The tables of a run folder, written and read: CSV with a header, in the first column the epoch.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "lowbit/models/layer_statistics.h"
#include "lowbit/run/observer.h"

namespace lowbit::run {

// A row of metrics.csv. Without validation its columns are empty.
struct EpochMetrics {
  int epoch = 0;  // from 0
  double learning_rate = 0;
  Accuracy training;  // the table has neither top5 nor the samples
  std::optional<Accuracy> validation;
  double best_top1 = 0;  // per cent
  double images_per_second = 0;
  double loss_scale = 1;
  double seconds = 0;  // of the epoch with its validation and its checkpoint
};

// A row of layers.csv.
struct LayerRow {
  int epoch = 0;
  models::QuantizerStatistics statistics;
};

// Begins both tables, or keeps of them the rows of epochs below `epochs` (truncate_to_epoch).
void truncate_metrics(const std::filesystem::path& csv, int epochs);
void truncate_layers(const std::filesystem::path& csv, int epochs);

// Append; an Error (failure) names a file that cannot be written.
void append_metrics(const std::filesystem::path& csv, const EpochMetrics& metrics);
void append_layers(const std::filesystem::path& csv, int epoch,
                   const std::vector<models::QuantizerStatistics>& layers);

// A last line without its end, as a run that writes right now may show it, is passed over. An Error
// (failure) with file and line for what is no such table.
std::vector<EpochMetrics> read_metrics(const std::filesystem::path& csv);
std::vector<LayerRow> read_layers(const std::filesystem::path& csv);

// Keeps the header and the rows of a CSV file whose first column is an epoch below `epochs`; a last
// line without its end, which a killed run leaves, is dropped. A file that is missing or has
// another header is begun anew.
void truncate_to_epoch(const std::filesystem::path& csv, const std::string& header, int epochs);

}  // namespace lowbit::run
