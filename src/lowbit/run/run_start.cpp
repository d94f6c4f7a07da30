#include "lowbit/run/run_start.h"

#include <fmt/format.h>

#include "lowbit/checkpoint/checkpoint_file.h"
#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/run/run_files.h"
#include "lowbit/run/run_state.h"

namespace lowbit::run {
namespace {

// The state before the newest one, whose reading failed with `newest`.
void fall_back(const RunFiles& files, const core::Error& newest, RunStart& start) {
  start.path = files.previous;
  start.warning = fmt::format("{}; going on from '{}'", newest.what(), start.path.string());
  try {
    start.checkpoint = checkpoint::read_checkpoint(start.path);
  } catch (const core::Error& error) {
    throw core::Error(newest).detail(error.what());
  }
}

}  // namespace

int RunStart::epoch() const {
  return checkpoint ? next_epoch(*checkpoint, path.string()) : 0;
}

std::filesystem::path find_start_file(const config::Options& options) {
  const config::TrainOptions& train = options.train;
  if (!train.resume && !(train.evaluate && train.pretrained.empty())) return {};
  std::filesystem::path path = find_resume_file(options);
  const bool random_is_meant = options.data.dataset == "fake" && !train.resume;
  if (path.empty() && train.evaluate && !random_is_meant)
    throw core::failure("{}: no file '{}'", train.resume ? "--resume" : "--evaluate",
                        RunFiles(options).checkpoint.string())
        .detail("--pretrained FILE evaluates other weights than those of the run itself");
  return path;
}

RunStart find_start(const config::Options& options) {
  RunStart start;
  start.path = find_start_file(options);
  if (start.path.empty()) {
    if (options.train.evaluate && options.train.pretrained.empty())
      start.warning = "the weights are random: there is neither --pretrained nor a checkpoint";
    return start;
  }
  const RunFiles files(options);
  try {
    start.checkpoint = checkpoint::read_checkpoint(start.path);
  } catch (const core::Error& error) {
    if (start.path != files.checkpoint || !core::is_file(files.previous)) throw;
    fall_back(files, error, start);
  }
  return start;
}

}  // namespace lowbit::run
