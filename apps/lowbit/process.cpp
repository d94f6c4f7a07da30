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
#include <string_view>
#include <thread>
#include <vector>

#include "lowbit/core/error.h"

namespace lowbit::app {
namespace {

// The children that run; 0: a place that is free. A signal handler finds them here.
constexpr size_t kMostChildren = 1024;
volatile pid_t children[kMostChildren];

// A terminal sends its Ctrl-C to the children, too, which would end at once at a second one.
extern "C" void hand_on(int signal, siginfo_t* info, void*) {
  if (info->si_code == SI_KERNEL) return;
  for (const volatile pid_t& child : children)
    if (child > 0) ::kill(child, signal);
}

struct sigaction previous_interrupt, previous_terminate;

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
            int errors) {
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
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, pointers.data(),
                                  environment_with(environment).data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw core::failure("cannot start '{}': {}", program, std::strerror(error));
  return pid;
}

}  // namespace

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
  struct sigaction action = {};
  action.sa_sigaction = hand_on;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  ::sigaction(SIGINT, &action, &previous_interrupt);
  ::sigaction(SIGTERM, &action, &previous_terminate);
}

Children::~Children() {
  kill_all();
  while (running_ > 0) wait();
  ::sigaction(SIGINT, &previous_interrupt, nullptr);
  ::sigaction(SIGTERM, &previous_terminate, nullptr);
}

void Children::start(const Arguments& arguments, const std::vector<std::string>& environment,
                     int output, int errors) {
  if (pids_.size() == kMostChildren)
    throw core::usage_error("no more than {} processes at once", kMostChildren);
  const pid_t pid = spawn(arguments, environment, output, errors);
  children[pids_.size()] = pid;
  pids_.push_back(pid);
  ++running_;
}

std::optional<Children::Ended> Children::wait(std::optional<std::chrono::milliseconds> longest) {
  constexpr std::chrono::milliseconds kNap(20);
  const auto end =
      std::chrono::steady_clock::now() + longest.value_or(std::chrono::milliseconds::zero());
  while (running_ > 0) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, longest ? WNOHANG : 0);
    if (pid < 0 && errno != EINTR)
      throw core::failure("lost '{}': {}", own_program(), std::strerror(errno));
    if (const auto found = std::ranges::find(pids_, pid); pid > 0 && found != pids_.end()) {
      const auto child = static_cast<size_t>(found - pids_.begin());
      children[child] = 0;
      --running_;
      return Ended{child, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)};
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
  return status == 128 + SIGINT || status == 128 + SIGTERM;
}

}  // namespace lowbit::app
