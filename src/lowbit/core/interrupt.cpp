#include "lowbit/core/interrupt.h"

namespace lowbit::core {
namespace {

volatile std::sig_atomic_t received = 0;

extern "C" void on_signal(int signal) {
  received = signal;
  std::signal(signal, SIG_DFL);
}

}  // namespace

std::vector<int> obeyed_stop_signals() {
  std::vector<int> obeyed;
  for (const int signal : kStopSignals) {
    struct sigaction action = {};
    // Shells start background jobs with SIGINT ignored, and scripts stop such jobs by it all the
    // same; only nohup means what it says.
    const bool ignored = signal == SIGHUP && ::sigaction(signal, nullptr, &action) == 0 &&
                         action.sa_handler == SIG_IGN;
    if (!ignored) obeyed.push_back(signal);
  }
  return obeyed;
}

void handle_stop_signals(void (*handler)(int)) {
  for (const int signal : obeyed_stop_signals()) std::signal(signal, handler);
}

void catch_interrupts() {
  received = 0;
  handle_stop_signals(on_signal);
}

int interrupted() {
  return received;
}

Interrupted::Interrupted(int signal, std::string_view what)
    : Error(ErrorKind::failure, fmt::format("stopped by signal {} {}", signal, what)),
      signal_(signal) {}

}  // namespace lowbit::core
