// Where the files of a run lie.
#pragma once

#include <filesystem>
#include <optional>

#include "lowbit/config/options.h"

namespace lowbit::train {

struct RunFiles {
  explicit RunFiles(const config::Options& options);

  std::filesystem::path checkpoint;  // WEIGHTS_DIR/MODEL/CASE-checkpoint.pth.tar
  std::filesystem::path best;        // WEIGHTS_DIR/MODEL/CASE-model_best.pth.tar
  std::filesystem::path log;         // LOG_DIR/MODEL/CASE.log

  // WEIGHTS_DIR/MODEL/CASE-epochN-checkpoint.pth.tar, N = number of finished epochs.
  std::filesystem::path copy(int epochs) const;

  // LOG_DIR/MODEL/CASE-probe/iteration-N.pth: what keyword probe has seen before iteration N.
  std::filesystem::path probe(int64_t iteration) const;

  // Creates the folders; an Error (failure) if one cannot be written to.
  void make_folders() const;

 private:
  std::filesystem::path prefix_;
};

// The file that --pretrained names: under WEIGHTS_DIR/MODEL/, WEIGHTS_DIR/, or as a path of its
// own. An Error (failure) that lists the places if it is in none.
std::filesystem::path find_pretrained(const config::Options& options);

// The file that --resume continues: --resume_file under WEIGHTS_DIR/MODEL/, with the name of the
// case before it or without, or as a path of its own. Nothing where no checkpoint of the usual name
// has been saved yet: the run begins. An Error (failure) for any other name without a file.
std::optional<std::filesystem::path> find_resume_file(const config::Options& options);

}  // namespace lowbit::train
