#include "lowbit/run/saved_states.h"

#include "lowbit/checkpoint/checkpoint_file.h"

namespace lowbit::run {

SavedStates::SavedStates(const RunFiles& files, const RunStart& start)
    : newest_(files.checkpoint),
      previous_(files.previous),
      newest_is_ours_(start.path == newest_),
      previous_is_ours_(newest_is_ours_ || start.path == previous_) {}

void SavedStates::save(const checkpoint::Value& state) {
  checkpoint::write_checkpoint(newest_, state,
                               newest_is_ours_ ? previous_ : std::filesystem::path());
  std::error_code ignored;
  if (!newest_is_ours_ && !previous_is_ours_) std::filesystem::remove(previous_, ignored);
  newest_is_ours_ = previous_is_ours_ = true;
}

}  // namespace lowbit::run
