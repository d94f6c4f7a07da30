// Where the files of a run lie.
#pragma once

#include <filesystem>

#include "lowbit/config/options.h"

namespace lowbit::train {

struct RunFiles {
  explicit RunFiles(const config::Options& options);

  std::filesystem::path checkpoint;  // WEIGHTS_DIR/MODEL/CASE-checkpoint.pth.tar
  std::filesystem::path best;        // WEIGHTS_DIR/MODEL/CASE-model_best.pth.tar

  // The run folder and what it holds.
  std::filesystem::path folder;   // LOG_DIR/MODEL/CASE
  std::filesystem::path log;      // train.log
  std::filesystem::path config;   // config: the effective configuration; it runs again
  std::filesystem::path run;      // run.json: the same with the origin of each value, and more
  std::filesystem::path metrics;  // metrics.csv: a row per epoch
  std::filesystem::path layers;   // layers.csv: a row per epoch and quantizer

  // WEIGHTS_DIR/MODEL/CASE-epochN-checkpoint.pth.tar, N = number of finished epochs.
  std::filesystem::path copy(int epochs) const;

  // Creates the folders; an Error (failure) if one cannot be written to.
  void make_folders() const;

 private:
  std::filesystem::path prefix_;
};

// The file that --pretrained names: under WEIGHTS_DIR/MODEL/, WEIGHTS_DIR/, or as a path of its
// own. An Error (failure) that lists the places if it is in none.
std::filesystem::path find_pretrained(const config::Options& options);

// The file that --resume continues: --resume_file under WEIGHTS_DIR/MODEL/, with the name of the
// case before it or without, or as a path of its own.
std::filesystem::path find_resume_file(const config::Options& options);

}  // namespace lowbit::train
