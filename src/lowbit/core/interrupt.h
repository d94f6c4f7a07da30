// Ctrl-C, SIGTERM and the end of the terminal as a flag that long loops look at, so that they stop
// at a place where the state can be saved.
#pragma once

#include <csignal>
#include <string_view>
#include <vector>

#include "lowbit/core/error.h"

namespace lowbit::core {

// Those that ask a program to end.
inline constexpr int kStopSignals[] = {SIGINT, SIGTERM, SIGHUP};

// Those of them that the program is to obey: not SIGHUP under nohup.
std::vector<int> obeyed_stop_signals();

// Calls `handler` with each of these from here on.
void handle_stop_signals(void (*handler)(int));

// From here on these signals only set the flag, which begins unset; a second signal ends the
// process at once.
void catch_interrupts();

// The signal that arrived, 0 if none: a loop that sees one saves, stops, and the program exits with
// 128 + signal.
int interrupted();

// Work that a signal ended before it was done; the program exits with 128 + signal.
class Interrupted : public Error {
 public:
  // what: "while waiting for process 1"
  Interrupted(int signal, std::string_view what);
  int signal() const { return signal_; }

 private:
  int signal_;
};

}  // namespace lowbit::core
