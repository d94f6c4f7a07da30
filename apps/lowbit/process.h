// Other processes: waited for, started, stopped.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "commands.h"

namespace lowbit::app {

// From here on a signal that asks the program to end (core::handle_stop_signals) ends it at once,
// with a line on standard error and the status 128 + signal: where there is nothing to save.
void end_at_signals();

pid_t own_process();

// As process lists show it, "" if there is no such process.
std::string name_of_process(pid_t pid);

// Returns when the process has ended; any process, not only children. `begin` is called if there is
// one to wait for; false if there is none. An Error (failure) if the system cannot say.
bool wait_for_process(pid_t pid, const std::function<void()>& begin);

// This program, started again beside itself. Signals that ask it to end and come while the object
// lives are handed on to all that run, once each, also to those that are suspended. One object at a
// time.
class Children {
 public:
  Children();
  ~Children();
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  // environment: NAME=VALUE, before what this process has. output, errors: descriptors that take
  // the place of standard output and error; -1: those of this process. An Error (failure) if it
  // cannot be started.
  void start(const Arguments& arguments, const std::vector<std::string>& environment = {},
             int output = -1, int errors = -1);

  struct Ended {
    size_t child;  // counted from 0, in the order of their start
    int status;    // exit status, or 128 + the signal that ended it
    bool killed;   // by that signal, so that it could not say anything
  };
  // Called in wait() for a child that SIGSTOP has suspended, and when it goes on.
  std::function<void(size_t child, bool goes_on)> on_suspended = [](size_t, bool) {};
  // The next that ends; nothing if none does in that time, or none runs.
  std::optional<Ended> wait(std::optional<std::chrono::milliseconds> longest = {});

  // By SIGTERM, unless a signal has been handed on.
  void ask_to_end();
  void kill_all();  // by SIGKILL
  size_t running() const { return running_; }
  pid_t pid(size_t child) const { return pids_[child]; }

 private:
  std::vector<pid_t> pids_;
  size_t running_ = 0;
};

// Runs this program with the arguments and waits for it: its exit status, or 128 + the signal that
// ended it. Signals that come meanwhile are handed on as Children does. An Error (failure) if it
// cannot be started.
int run_program(const Arguments& arguments);

// Whether a status is that of a program that was asked to end by a signal.
bool was_stopped(int status);

}  // namespace lowbit::app
