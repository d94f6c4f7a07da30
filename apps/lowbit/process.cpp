#include "process.h"

#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <thread>
#include <vector>

#include "lowbit/core/error.h"
#include "lowbit/core/interrupt.h"

namespace lowbit::app {
namespace {

// The children that run; 0: a place that is free. A signal handler finds them here.
constexpr size_t kMostChildren = 1024;
volatile pid_t children[kMostChildren];

// The last signal that was handed on; 0: none.
volatile std::sig_atomic_t handed_on = 0;

void send_to_children(int signal) {
  for (const volatile pid_t& child : children) {
    if (child <= 0) continue;
    if (signal != 0) ::kill(child, signal);
    // One that is suspended would never see it, and the others wait for that one.
    ::kill(child, SIGCONT);
  }
}

// A terminal sends its Ctrl-C to the children, too, which would end at once at a second one.
extern "C" void hand_on(int signal, siginfo_t* info, void*) {
  handed_on = signal;
  send_to_children(info->si_code == SI_KERNEL ? 0 : signal);
}

extern "C" void end_at_once(int signal) {
  char line[] = "lowbit: stopped by signal ??\n";
  char* digits = std::strchr(line, '?');
  digits[0] = static_cast<char>('0' + signal / 10);
  digits[1] = static_cast<char>('0' + signal % 10);
  // "signal 2", not "signal 02".
  if (signal < 10) std::memmove(digits, digits + 1, 3);
  if (::write(STDERR_FILENO, line, std::strlen(line)) < 0) {
    // The status says it, too.
  }
  ::_exit(128 + signal);
}

struct Handler {
  int signal;
  struct sigaction previous;
};
std::vector<Handler> handlers;

// While it lives, these signals wait.
class StopSignalsBlocked {
 public:
  StopSignalsBlocked() {
    sigset_t blocked;
    ::sigemptyset(&blocked);
    for (const int signal : core::kStopSignals) ::sigaddset(&blocked, signal);
    ::pthread_sigmask(SIG_BLOCK, &blocked, &before_);
  }
  ~StopSignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  StopSignalsBlocked(const StopSignalsBlocked&) = delete;
  StopSignalsBlocked& operator=(const StopSignalsBlocked&) = delete;

  const sigset_t& before() const { return before_; }

 private:
  sigset_t before_;
};

std::string own_program() {
  std::error_code unknown;
  return std::filesystem::read_symlink("/proc/self/exe", unknown).string();
}

// Those of this process behind `first`: of two of the same name the first counts.
std::vector<char*> environment_with(const std::vector<std::string>& first) {
  std::vector<char*> all;
  for (const std::string& entry : first) all.push_back(const_cast<char*>(entry.c_str()));
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view name(*entry, std::strcspn(*entry, "="));
    const bool replaced = std::ranges::any_of(first, [name](const std::string& other) {
      return other.starts_with(std::string(name) + "=");
    });
    if (!replaced) all.push_back(*entry);
  }
  all.push_back(nullptr);
  return all;
}

pid_t spawn(const Arguments& arguments, const std::vector<std::string>& environment, int output,
            int errors, const sigset_t& mask) {
  const std::string program = own_program();
  std::vector<std::string> words = arguments;
  words.insert(words.begin(), program);
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  if (output >= 0) ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  if (errors >= 0) ::posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setsigmask(&attributes, &mask);
  // A background job of a script has SIGINT ignored, and so would the child, until it handles it.
  sigset_t obeyed;
  ::sigemptyset(&obeyed);
  for (const Handler& handler : handlers) ::sigaddset(&obeyed, handler.signal);
  ::posix_spawnattr_setsigdefault(&attributes, &obeyed);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, program.c_str(), &actions, &attributes, pointers.data(),
                                  environment_with(environment).data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw core::failure("cannot start '{}': {}", program, std::strerror(error));
  return pid;
}

}  // namespace

void end_at_signals() {
  core::handle_stop_signals(end_at_once);
}

pid_t own_process() {
  return ::getpid();
}

std::string name_of_process(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/comm");
  std::string name;
  std::getline(file, name);
  return name;
}

bool wait_for_process(pid_t pid, const std::function<void()>& begin) {
  // Debian 12's declaration of pidfd_open does not link from C++.
  const auto descriptor = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (descriptor < 0 && errno == ESRCH) return false;
  if (descriptor < 0)
    throw core::failure("cannot wait for process {}: {}", pid, std::strerror(errno));
  begin();
  pollfd ended = {descriptor, POLLIN, 0};
  int ready;
  do {
    ready = ::poll(&ended, 1, -1);
  } while (ready < 0 && errno == EINTR);
  const int error = errno;
  ::close(descriptor);
  if (ready < 0) throw core::failure("cannot wait for process {}: {}", pid, std::strerror(error));
  return true;
}

Children::Children() {
  handed_on = 0;
  struct sigaction action = {};
  action.sa_sigaction = hand_on;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  for (const int signal : core::obeyed_stop_signals()) {
    handlers.push_back({signal, {}});
    ::sigaction(signal, &action, &handlers.back().previous);
  }
}

Children::~Children() {
  kill_all();
  while (running_ > 0) wait();
  for (const Handler& handler : handlers) ::sigaction(handler.signal, &handler.previous, nullptr);
  handlers.clear();
}

void Children::start(const Arguments& arguments, const std::vector<std::string>& environment,
                     int output, int errors) {
  if (pids_.size() == kMostChildren)
    throw core::usage_error("no more than {} processes at once", kMostChildren);
  int earlier = 0;
  {
    // So that a signal finds either no child or one that is noted.
    const StopSignalsBlocked blocked;
    earlier = handed_on;
    const pid_t pid = spawn(arguments, environment, output, errors, blocked.before());
    children[pids_.size()] = pid;
    pids_.push_back(pid);
    ++running_;
  }
  if (earlier != 0) ::kill(pids_.back(), earlier);
}

void Children::ask_to_end() {
  const StopSignalsBlocked blocked;
  if (handed_on != 0) return;
  handed_on = SIGTERM;
  send_to_children(SIGTERM);
}

std::optional<Children::Ended> Children::wait(std::optional<std::chrono::milliseconds> longest) {
  constexpr std::chrono::milliseconds kNap(20);
  const auto end =
      std::chrono::steady_clock::now() + longest.value_or(std::chrono::milliseconds::zero());
  while (running_ > 0) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WUNTRACED | WCONTINUED | (longest ? WNOHANG : 0));
    if (pid < 0 && errno != EINTR)
      throw core::failure("lost '{}': {}", own_program(), std::strerror(errno));
    if (const auto found = std::ranges::find(pids_, pid); pid > 0 && found != pids_.end()) {
      const auto child = static_cast<size_t>(found - pids_.begin());
      if (WIFSTOPPED(status) || WIFCONTINUED(status)) {
        // The terminal reports what Ctrl-Z suspends.
        if (WIFCONTINUED(status) || WSTOPSIG(status) == SIGSTOP)
          on_suspended(child, WIFCONTINUED(status));
        continue;
      }
      children[child] = 0;
      --running_;
      if (WIFSIGNALED(status)) return Ended{child, 128 + WTERMSIG(status), true};
      return Ended{child, WEXITSTATUS(status), false};
    }
    if (longest && std::chrono::steady_clock::now() >= end) break;
    if (longest) std::this_thread::sleep_for(kNap);
  }
  return {};
}

void Children::kill_all() {
  for (const volatile pid_t& child : children)
    if (child > 0) ::kill(child, SIGKILL);
}

int run_program(const Arguments& arguments) {
  Children one;
  one.start(arguments);
  return one.wait()->status;
}

bool was_stopped(int status) {
  return std::ranges::find(core::kStopSignals, status - 128) != std::end(core::kStopSignals);
}

}  // namespace lowbit::app
