#include "process.h"

#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "lowbit/core/error.h"

namespace lowbit::app {
namespace {

// Of run_program; a signal handler finds it here.
volatile pid_t child = 0;

// A terminal sends its Ctrl-C to the child, too, which would end at once at a second one.
extern "C" void hand_on(int signal, siginfo_t* info, void*) {
  if (info->si_code != SI_KERNEL && child > 0) ::kill(child, signal);
}

// Hands signals on while it lives.
class SignalsHandedOn {
 public:
  SignalsHandedOn() {
    struct sigaction action = {};
    action.sa_sigaction = hand_on;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    ::sigaction(SIGINT, &action, &interrupt_);
    ::sigaction(SIGTERM, &action, &terminate_);
  }
  ~SignalsHandedOn() {
    ::sigaction(SIGINT, &interrupt_, nullptr);
    ::sigaction(SIGTERM, &terminate_, nullptr);
    child = 0;
  }
  SignalsHandedOn(const SignalsHandedOn&) = delete;
  SignalsHandedOn& operator=(const SignalsHandedOn&) = delete;

 private:
  struct sigaction interrupt_ = {}, terminate_ = {};
};

pid_t start(const std::string& program, const Arguments& arguments) {
  std::vector<std::string> words = arguments;
  words.insert(words.begin(), program);
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  pid_t pid = 0;
  const int error =
      ::posix_spawn(&pid, program.c_str(), nullptr, nullptr, pointers.data(), environ);
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

int run_program(const Arguments& arguments) {
  std::error_code unknown;
  const std::string program = std::filesystem::read_symlink("/proc/self/exe", unknown).string();
  const SignalsHandedOn handed_on;
  child = start(program, arguments);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) throw core::failure("lost '{}': {}", program, std::strerror(errno));
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool was_stopped(int status) {
  return status == 128 + SIGINT || status == 128 + SIGTERM;
}

}  // namespace lowbit::app
