// Where a run begins: at its start, or at the state that -r goes on from.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "lowbit/config/options.h"
#include "lowbit/train/value.h"

namespace lowbit::train {

struct RunStart {
  std::filesystem::path path;  // of the checkpoint; empty: a new run
  std::optional<Value> checkpoint;
  std::string warning;  // why it is not the newest; empty: it is

  // Of the epoch that is trained next, or on whose rest training goes on; 0 for a new run.
  int epoch() const;
};

// Reads the checkpoint that --resume continues (find_resume_file). Where the run's newest state is
// damaged, the one before it is taken, with a warning that names the first; an Error (failure)
// names it if there is no other. Without --resume, or where a run has saved nothing yet: a new run.
RunStart find_start(const config::Options& options);

}  // namespace lowbit::train
