// Where a run begins: at its start, or at the state that -r goes on from.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "lowbit/checkpoint/value.h"
#include "lowbit/config/options.h"

namespace lowbit::run {

struct RunStart {
  std::filesystem::path path;  // of the checkpoint; empty: a new run
  std::optional<checkpoint::Value> checkpoint;
  std::string warning;  // why it is not what one expects; empty: it is

  // Of the epoch that is trained next, or on whose rest training goes on; 0 for a new run.
  int epoch() const;
};

// The checkpoint that --resume continues, or that --evaluate without --pretrained evaluates: the
// run's own (find_resume_file). Empty: a new run, as without --resume and where a run has saved
// nothing yet. To evaluate nothing is an Error (failure), but for data set fake, whose images are
// as random as the weights.
std::filesystem::path find_start_file(const config::Options& options);

// Reads that file. Where the run's newest state is damaged, the one before it is taken, with a
// warning that names the first; an Error (failure) names it if there is no other.
RunStart find_start(const config::Options& options);

}  // namespace lowbit::run
