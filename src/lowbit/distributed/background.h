// Work that may block for long, on a thread of its own, while the main thread says what it waits
// for, obeys signals and gives up in time.
#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "lowbit/distributed/patience.h"

namespace lowbit::distributed {

// For c10d, which cannot tell a slow process from one that does not answer: PeerWatch ends waits.
// More milliseconds than that overflow within it.
inline constexpr std::chrono::hours kNoLimit(24 * 14);

struct Stage {
  std::string what = {};  // "process 0 at 10.0.0.1:29500": what is waited for
  std::chrono::milliseconds longest = {};
  // Another process says it.
  bool silent = false;
  std::string if_late = {};  // the error after that time; empty: that `what` did not come
};

// What the work is at: told by it, read by the main thread.
class Stages {
 public:
  void enter(Stage stage);                             // the time begins anew
  void update(std::string what, bool silent = false);  // it goes on
  // An exception ends the work where the main thread has given up.
  void sleep(std::chrono::milliseconds time) const;

  void abandon();
  // The number of stages entered, and the last.
  std::pair<int, Stage> now() const;

 private:
  mutable std::mutex mutex_;
  Stage stage_;
  int number_ = 0;
  bool abandoned_ = false;
};

// The main thread's side of the wait.
class Wait {
 public:
  Wait(std::shared_ptr<Stages> stages, const Patience& patience)
      : stages_(std::move(stages)), patience_(patience), reminder_(patience.quiet) {}
  ~Wait() { stages_->abandon(); }
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;

  // Called a few times a second. core::Interrupted; an Error (failure) where the stage takes too
  // long.
  void look();

 private:
  const std::shared_ptr<Stages> stages_;
  const Patience& patience_;
  Reminder reminder_;
  RunningTime time_{std::chrono::seconds(1)};
  RunningTime::Clock::duration waited_{0};
  int stage_ = 0;
};

// The result of work(stages), or what it throws. Where the wait ends before, the work is left to
// itself: it owns what it uses, and the process is about to end.
template <class Work>
auto in_background(Work work, const Patience& patience) {
  using Result = decltype(work(std::shared_ptr<Stages>()));
  constexpr std::chrono::milliseconds kLookEvery(50);
  const auto stages = std::make_shared<Stages>();
  Wait wait(stages, patience);
  std::packaged_task<Result(std::shared_ptr<Stages>)> task(std::move(work));
  std::future<Result> result = task.get_future();
  std::thread(std::move(task), stages).detach();
  while (result.wait_for(kLookEvery) != std::future_status::ready) wait.look();
  return result.get();
}

// The first line of what c10d and its like throw, without their stack.
std::string reason_of(const std::exception& error);

}  // namespace lowbit::distributed
