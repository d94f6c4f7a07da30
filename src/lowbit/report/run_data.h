// What a run has left in its folder.
#pragma once

#include <filesystem>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "lowbit/run/run_tables.h"

namespace lowbit::report {

struct RunData {
  std::string name{};  // MODEL/CASE
  std::filesystem::path folder{};
  std::filesystem::path checkpoint{};             // the last one, or the one that was asked for
  std::filesystem::path working_folder{};         // of the run: what relative paths are relative to
  std::vector<std::string> arguments{};           // that give the options again
  std::map<std::string, std::string> settings{};  // every option with its value
  double full_precision_top1 = std::numeric_limits<double>::quiet_NaN();  // per cent; NaN: unknown
  std::vector<run::EpochMetrics> epochs{};
  std::vector<run::LayerRow> layers{};

  // Of the last epoch.
  std::vector<models::QuantizerStatistics> last_layers() const;
  // The value of an option, "" if it is unknown.
  std::string setting(const std::string& name) const;
};

// The runs that a path names: a run folder, a checkpoint of one, or a folder above run folders. An
// Error (failure) if it is none of these, or if what lies there cannot be read.
std::vector<RunData> read_runs(const std::filesystem::path& path);

}  // namespace lowbit::report
