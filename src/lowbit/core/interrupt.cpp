#include "lowbit/core/interrupt.h"

#include <csignal>

namespace lowbit::core {
namespace {

volatile std::sig_atomic_t received = 0;

extern "C" void on_signal(int signal) {
  received = signal;
  std::signal(signal, SIG_DFL);
}

}  // namespace

void catch_interrupts() {
  received = 0;
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

int interrupted() {
  return received;
}

}  // namespace lowbit::core
