#include "lowbit/train/run_start.h"

#include <fmt/format.h>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/train/checkpoint_file.h"
#include "lowbit/train/run_files.h"
#include "lowbit/train/run_state.h"

namespace lowbit::train {
namespace {

// The state before the newest one, whose reading failed with `newest`.
void fall_back(const RunFiles& files, const core::Error& newest, RunStart& start) {
  start.path = files.previous;
  start.warning = fmt::format("{}; going on from '{}'", newest.what(), start.path.string());
  try {
    start.checkpoint = read_checkpoint(start.path);
  } catch (const core::Error& error) {
    throw core::Error(newest).detail(error.what());
  }
}

}  // namespace

int RunStart::epoch() const {
  return checkpoint ? next_epoch(*checkpoint, path.string()) : 0;
}

RunStart find_start(const config::Options& options) {
  RunStart start;
  if (!options.train.resume) return start;
  const RunFiles files(options);
  start.path = find_resume_file(options);
  if (start.path.empty()) {
    if (options.train.evaluate)
      throw core::failure("--resume: no file '{}'", files.checkpoint.string());
    return start;
  }
  try {
    start.checkpoint = read_checkpoint(start.path);
  } catch (const core::Error& error) {
    if (start.path != files.checkpoint || !core::is_file(files.previous)) throw;
    fall_back(files, error, start);
  }
  return start;
}

}  // namespace lowbit::train
