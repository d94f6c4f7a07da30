// The newest state of a run on the disk, and the one before it in case the newest gets damaged.
#pragma once

#include "lowbit/run/run_files.h"
#include "lowbit/run/run_start.h"

namespace lowbit::run {

class SavedStates {
 public:
  SavedStates(const RunFiles& files, const RunStart& start);

  // Writes the newest state; the one that was the newest becomes the one before. What lies there of
  // another run, or damaged, never does. Whenever the process dies, one good state is there. An
  // Error (failure), the files as they were, if it cannot be written.
  void save(const checkpoint::Value& state);

 private:
  std::filesystem::path newest_, previous_;
  bool newest_is_ours_;  // whole, and a state that led to the next
  bool previous_is_ours_;
};

}  // namespace lowbit::run
