// What a run shows: its log on standard output (warnings on standard error), and how far it is.
#pragma once

#include <chrono>
#include <filesystem>

#include "lowbit/run/observer.h"

namespace lowbit::app {

// Lets the library's log appear on the console; with `details` the lines of level debug, too. A
// verb that does what others do may call it again.
void log_to_console(bool details = false);
// And all of it in a file, with the time of each line; appends. An Error (failure) if it cannot be
// written, from then on also out of the call that logs.
void log_to_file(const std::filesystem::path& path);

// A bar with rate and time left that redraws itself on a terminal; elsewhere a plain line every ten
// seconds.
class ProgressDisplay : public run::Observer {
 public:
  ProgressDisplay();
  void on_progress(const run::Progress& progress) override;
  void on_pass_end() override;

 private:
  using Clock = std::chrono::steady_clock;

  bool terminal_;
  bool shown_ = false;
  Clock::time_point last_;
};

// "1:02:03", "2:03"
std::string duration_text(double seconds);

}  // namespace lowbit::app
