// Other processes: waited for, started, stopped.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include "commands.h"

namespace lowbit::app {

pid_t own_process();

// As process lists show it, "" if there is no such process.
std::string name_of_process(pid_t pid);

// Returns when the process has ended; any process, not only children. `begin` is called if there is
// one to wait for; false if there is none. An Error (failure) if the system cannot say.
bool wait_for_process(pid_t pid, const std::function<void()>& begin);

// Runs this program with the arguments and waits for it: its exit status, or 128 + the signal that
// ended it. SIGINT and SIGTERM that come meanwhile are handed on to it, once each. An Error
// (failure) if it cannot be started.
int run_program(const Arguments& arguments);

// Whether a status is that of a program that SIGINT or SIGTERM stopped.
bool was_stopped(int status);

}  // namespace lowbit::app
