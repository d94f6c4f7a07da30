// Where the files of a run lie.
#pragma once

#include <filesystem>
#include <string_view>

#include "lowbit/config/options.h"
#include "lowbit/core/file_lock.h"

namespace lowbit::run {

// In the folder of a run.
inline constexpr const char* kRunFile = "run.json";
inline constexpr const char* kMetricsFile = "metrics.csv";
inline constexpr const char* kLayersFile = "layers.csv";

struct RunFiles {
  explicit RunFiles(const config::Options& options);

  std::filesystem::path checkpoint;  // WEIGHTS_DIR/MODEL/CASE-checkpoint.pth.tar
  std::filesystem::path previous;    // WEIGHTS_DIR/MODEL/CASE-checkpoint-previous.pth.tar
  std::filesystem::path best;        // WEIGHTS_DIR/MODEL/CASE-model_best.pth.tar
  std::filesystem::path packed;      // WEIGHTS_DIR/MODEL/CASE.lowbit, with --pack
  std::filesystem::path lock;        // WEIGHTS_DIR/MODEL/CASE.lock, while the run goes on

  // The run folder and what it holds.
  std::filesystem::path folder;   // LOG_DIR/MODEL/CASE
  std::filesystem::path log;      // train.log
  std::filesystem::path config;   // config: the effective configuration; it runs again
  std::filesystem::path run;      // run.json: the same with the origin of each value, and more
  std::filesystem::path metrics;  // metrics.csv: a row per epoch
  std::filesystem::path layers;   // layers.csv: a row per epoch and quantizer

  // WEIGHTS_DIR/MODEL/CASE-epochN-checkpoint.pth.tar, N = the epoch that was finished, from 0.
  std::filesystem::path copy(int epoch) const;

  // probe/iteration-N.pth in the run folder: what keyword probe has seen before iteration N.
  std::filesystem::path probe(int64_t iteration) const;

  // Creates the folders; an Error (failure) if one of them or of the files cannot be written, or if
  // a device, a FIFO or a folder has the name of a file.
  void make_folders() const;

  // Keeps other processes from writing these files; an Error (failure) naming the one that does.
  core::FileLock lock_files() const;

  // Removes what processes of this run that were killed had not finished writing. The files must be
  // locked.
  void remove_unfinished() const;

 private:
  bool is_copy(std::string_view path) const;

  std::filesystem::path prefix_;
};

// The file `name` under WEIGHTS_DIR/<model>/, WEIGHTS_DIR/, or as a path of its own. An Error
// (failure) that lists the places, with `option`, if it is in none.
std::filesystem::path find_weights(const config::TrainOptions& options, const std::string& model,
                                   const std::string& name, const char* option);

// The file that --pretrained names: under WEIGHTS_DIR/MODEL/, WEIGHTS_DIR/, or as a path of its
// own. An Error (failure) that lists the places if it is in none.
std::filesystem::path find_pretrained(const config::Options& options);

// The file that --resume continues: --resume_file under WEIGHTS_DIR/MODEL/, with the name of the
// case before it or without, or as a path of its own. An Error (failure) that lists the places if
// it is in none, unless it has its default name: then the path is empty.
std::filesystem::path find_resume_file(const config::Options& options);

}  // namespace lowbit::run
