// How a process waits for the others of its run: how long, and what it says meanwhile.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <utility>

namespace lowbit::distributed {

struct Patience {
  std::chrono::milliseconds longest = std::chrono::minutes(10);
  // Until the first line about a wait; the next ones come after twice the time each, at most a
  // minute later.
  std::chrono::milliseconds quiet = std::chrono::seconds(8);
  // Which a wait that may end by itself has for that after a signal.
  std::chrono::milliseconds grace = std::chrono::seconds(8);
  // Takes such a line, from any thread.
  std::function<void(const std::string&)> say = [](const std::string&) {};
};

// Whether a wait ends with the patience, or lasts as long as the others live.
enum class Limit { patience, none };

// When the next line about a wait is due.
class Reminder {
 public:
  explicit Reminder(std::chrono::milliseconds first) : first_(first), next_(first) {}

  void restart() { next_ = first_; }
  bool is_due(std::chrono::milliseconds waited) {
    if (waited < next_) return false;
    next_ = waited + std::min<std::chrono::milliseconds>(waited, std::chrono::minutes(1));
    return true;
  }

 private:
  std::chrono::milliseconds first_, next_;
};

// The time that passes while this process runs: where it is itself stopped, its clock goes on by
// `longest_step` alone.
class RunningTime {
 public:
  using Clock = std::chrono::steady_clock;

  explicit RunningTime(Clock::duration longest_step) : longest_step_(longest_step) {}
  // Since the last call, or the beginning.
  Clock::duration step() {
    const Clock::time_point now = Clock::now();
    return std::min(now - std::exchange(last_, now), longest_step_);
  }

 private:
  Clock::duration longest_step_;
  Clock::time_point last_ = Clock::now();
};

// "20 s", "1.5 s"
std::string seconds_text(std::chrono::milliseconds time);

}  // namespace lowbit::distributed
