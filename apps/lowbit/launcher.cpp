#include "launcher.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lowbit/core/error.h"
#include "lowbit/distributed/place.h"
#include "lowbit/distributed/port.h"
#include "output.h"
#include "process.h"

namespace lowbit::app {
namespace {

constexpr const char* kLauncher = "LOWBIT_LAUNCHER";  // its process id
// For a process that fails with the others: then its own message is the better one.
constexpr std::chrono::seconds kGrace(3);

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

File open_or_fail(std::FILE* file) {
  if (!file) throw core::failure("cannot keep the errors of a process: {}", std::strerror(errno));
  return File(file);
}

// No disk is needed for what may never be shown.
std::FILE* memory_file() {
  const int file = ::memfd_create("errors of a process", MFD_CLOEXEC);
  return file < 0 ? nullptr : ::fdopen(file, "w+");
}

distributed::Place place_of_first(int count, const config::TrainOptions& options) {
  distributed::Place place{.rank = options.rank,
                           .size = options.world_size > 0 ? options.world_size : count,
                           .local_size = count};
  if (place.size > count)
    distributed::meet_as_the_environment_says(place);
  else
    place.port = distributed::free_port();
  if (place.rank + count > place.size)
    throw core::usage_error("--rank {} with {} processes here: there are only {} (--world_size)",
                            place.rank, count, place.size);
  return place;
}

std::vector<std::string> environment_of(const distributed::Place& place) {
  return {fmt::format("RANK={}", place.rank),
          fmt::format("WORLD_SIZE={}", place.size),
          fmt::format("LOCAL_RANK={}", place.local_rank),
          fmt::format("LOCAL_WORLD_SIZE={}", place.local_size),
          fmt::format("MASTER_ADDR={}", place.host),
          fmt::format("MASTER_PORT={}", place.port),
          "TORCHELASTIC_USE_AGENT_STORE=False",
          fmt::format("{}={}", kLauncher, own_process())};
}

void complain_all(std::FILE* file) {
  std::rewind(file);
  std::string text;
  char buffer[4096];
  for (size_t count; (count = std::fread(buffer, 1, sizeof buffer, file)) > 0;)
    text.append(buffer, count);
  complain_lines(text);
}

bool failed_of_its_own(const Children::Ended& ended) {
  return ended.status != 0 && ended.status != kLostPeer && ended.status <= 128;
}

struct Outcome {
  // The process that failed first of its own accord, or, where the first process failed so, that
  // one, which has said why; nothing if none did.
  std::optional<Children::Ended> failed;
  int interrupted = 0;         // the status of a process that a signal of the user stopped, else 0
  bool first_said_so = false;  // the first process ended by that itself
};

// Waits for all.
Outcome watch(Children& children) {
  Outcome outcome;
  while (children.running() > 0) {
    // One that saves its state after a signal takes its time.
    const auto ended =
        outcome.failed && !outcome.interrupted ? children.wait(kGrace) : children.wait();
    if (!ended) {
      children.kill_all();
      while (children.wait()) {
      }
      break;
    }
    if (ended->status == 0) continue;
    std::optional<Children::Ended>& failed = outcome.failed;
    if (was_stopped(ended->status)) {
      outcome.interrupted = ended->status;
      if (ended->child == 0) outcome.first_said_so = !ended->killed;
      // Where the signal was for that one alone, the others would wait for it.
      children.ask_to_end();
    } else if (!failed || failed->status == kLostPeer ||
               (ended->child == 0 && failed_of_its_own(*ended) && failed_of_its_own(*failed))) {
      failed = ended;
    }
  }
  if (outcome.interrupted && outcome.failed && outcome.failed->status == kLostPeer)
    outcome.failed.reset();
  return outcome;
}

// A suspended process does not say itself why the others wait.
void say_who_is_suspended(Children& children, const distributed::Place& first) {
  children.on_suspended = [&children, first, told = std::set<size_t>()](size_t child,
                                                                        bool goes_on) mutable {
    if (goes_on ? told.erase(child) == 0 : !told.insert(child).second) return;
    complain("warning: process {} of {} (PID {}) {}\n", first.rank + static_cast<int>(child),
             first.size, children.pid(child),
             goes_on ? "goes on" : "is suspended by SIGSTOP: the others wait for it");
  };
}

// What the user learns of it; returns the exit status.
int tell(const Children::Ended& failed, const Children& children, const distributed::Place& first,
         const std::vector<File>& errors) {
  const int rank = first.rank + static_cast<int>(failed.child);
  if (failed.status == kLostPeer)
    throw core::failure("a process on another machine ended: those here were stopped");
  if (failed.child > 0) complain_all(errors[failed.child].get());
  if (failed.status > 128)
    throw core::failure(
        "process {} of {} (PID {}) was killed by signal {}: the others were stopped", rank,
        first.size, children.pid(failed.child), failed.status - 128)
        .detail("the same command with -r goes on from the last state that was saved");
  return failed.status;
}

}  // namespace

bool is_launched() {
  return std::getenv(kLauncher) != nullptr;
}

void end_with_launcher() {
  if (!is_launched()) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // It may have ended before that.
  if (std::to_string(::getppid()) != std::getenv(kLauncher)) ::raise(SIGKILL);
}

int launch(const Arguments& arguments, int count, const config::TrainOptions& options) {
  const distributed::Place first = place_of_first(count, options);
  const File nowhere = open_or_fail(std::fopen("/dev/null", "w"));
  std::vector<File> errors(static_cast<size_t>(count));
  Children children;
  for (int local = 0; local < count; ++local) {
    distributed::Place place = first;
    place.rank += local;
    place.local_rank = local;
    if (local == 0) {
      children.start(arguments, environment_of(place));
      continue;
    }
    File& file = errors[static_cast<size_t>(local)] = open_or_fail(memory_file());
    children.start(arguments, environment_of(place), ::fileno(nowhere.get()), ::fileno(file.get()));
  }
  say_who_is_suspended(children, first);
  const Outcome outcome = watch(children);
  if (outcome.failed) return tell(*outcome.failed, children, first, errors);
  if (outcome.interrupted && !outcome.first_said_so)
    complain("lowbit: stopped by signal {}\n", outcome.interrupted - 128);
  return outcome.interrupted;
}

}  // namespace lowbit::app
