#include "lowbit/distributed/background.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include "lowbit/core/error.h"
#include "lowbit/core/interrupt.h"

namespace lowbit::distributed {

void Stages::enter(Stage stage) {
  const std::lock_guard lock(mutex_);
  stage_ = std::move(stage);
  ++number_;
}

void Stages::update(std::string what, bool silent) {
  const std::lock_guard lock(mutex_);
  stage_.silent = silent;
  stage_.what = std::move(what);
}

void Stages::sleep(std::chrono::milliseconds time) const {
  std::this_thread::sleep_for(time);
  const std::lock_guard lock(mutex_);
  if (abandoned_) throw core::failure("given up");
}

void Stages::abandon() {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
}

std::pair<int, Stage> Stages::now() const {
  const std::lock_guard lock(mutex_);
  return {number_, stage_};
}

void Wait::look() {
  const auto [number, stage] = stages_->now();
  waited_ += time_.step();
  if (number != stage_) {
    stage_ = number;
    waited_ = {};
    reminder_.restart();
  }
  // Nothing is waited for yet.
  if (number == 0) return;
  const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(waited_);
  if (const int signal = core::interrupted())
    throw core::Interrupted(signal, "while waiting for " + stage.what);
  if (waited >= stage.longest) {
    if (!stage.if_late.empty()) throw core::failure("{}", stage.if_late);
    throw core::failure("gave up waiting for {}, after {}", stage.what, seconds_text(stage.longest))
        .detail("--peer_timeout says how long to wait");
  }
  if (reminder_.is_due(waited) && !stage.silent)
    patience_.say(fmt::format("waiting for {}, for {}", stage.what, seconds_text(waited)));
}

std::string reason_of(const std::exception& error) {
  const auto* of_torch = dynamic_cast<const c10::Error*>(&error);
  const std::string text = of_torch ? of_torch->what_without_backtrace() : error.what();
  return text.substr(0, text.find('\n'));
}

}  // namespace lowbit::distributed
