// When a run saves within an epoch.
#pragma once

#include <chrono>

#include "lowbit/config/interval.h"

namespace lowbit::run {

class SaveClock {
 public:
  explicit SaveClock(const config::Interval& every) : every_(every), last_(Clock::now()) {}

  // After a step: whether it is time. `steps`: those that the run has done since its first epoch.
  bool is_due(int64_t steps) {
    if (every_.steps > 0) return steps % every_.steps == 0;
    const auto now = Clock::now();
    if (every_.seconds == 0 || now - last_ < std::chrono::seconds(every_.seconds)) return false;
    last_ = now;
    return true;
  }

 private:
  using Clock = std::chrono::steady_clock;

  config::Interval every_;
  Clock::time_point last_;
};

}  // namespace lowbit::run
