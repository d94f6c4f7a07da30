// lowbit after PID CONFIG [repeat] [options]: trains when a process has ended.
#include <fmt/format.h>

#include <filesystem>

#include "commands.h"
#include "console.h"
#include "lowbit/config/parse.h"
#include "lowbit/core/error.h"
#include "lowbit/core/log.h"
#include "lowbit/core/number.h"
#include "lowbit/run/run_files.h"
#include "output.h"
#include "process.h"

namespace lowbit::app {
namespace {

namespace fs = std::filesystem;

constexpr const char* after_usage =
    "usage: lowbit after PID CONFIG [repeat] [options]\n\n"
    "Waits until the process PID has ended, then trains as lowbit train CONFIG [options] does. A "
    "run\n"
    "that fails is started again, up to `repeat` times (default: 0), from its last checkpoint "
    "where\n"
    "it has written one. Wrong use and Ctrl-C are no failures to repeat.\n";

constexpr const char* how_called = "'lowbit after -h' says how it is called";

struct AfterCall {
  pid_t pid;
  std::string config_file;
  int repeat = 0;
  Arguments options;
};

// Nothing if the word is no whole number of at least `least`.
std::optional<int> number_of(const std::string& word, int least) {
  const std::optional<int> number = core::number_of<int>(word);
  return number && *number >= least ? number : std::nullopt;
}

AfterCall read_after_call(const Arguments& arguments) {
  if (arguments.size() < 2)
    throw core::usage_error("after: PID and CONFIG are needed").detail(how_called);
  AfterCall call;
  const std::optional<int> pid = number_of(arguments[0], 1);
  if (!pid)
    throw core::usage_error("after: '{}' is no process id", arguments[0]).detail(how_called);
  call.pid = *pid;
  call.config_file = arguments[1];
  size_t next = 2;
  if (next < arguments.size() && !arguments[next].starts_with("-")) {
    const std::optional<int> repeat = number_of(arguments[next], 0);
    if (!repeat)
      throw core::usage_error("after: '{}' is no number of repetitions", arguments[next])
          .detail(how_called);
    call.repeat = *repeat;
    ++next;
  }
  call.options.assign(arguments.begin() + static_cast<std::ptrdiff_t>(next), arguments.end());
  return call;
}

void wait(pid_t pid) {
  if (pid == own_process()) throw core::usage_error("after: {} is this process itself", pid);
  const std::string name = name_of_process(pid);
  if (!wait_for_process(pid, [&] { core::log().info("waiting for process {} ({})", pid, name); })) {
    core::log().info("there is no process {}: starting", pid);
    return;
  }
  core::log().info("process {} has ended: starting", pid);
}

// Whether there is a checkpoint that these runs have written, not one before them.
bool has_saved(const fs::path& checkpoint, fs::file_time_type since) {
  std::error_code error;
  const fs::file_time_type written = fs::last_write_time(checkpoint, error);
  return !error && written >= since;
}

// Wrong use stays wrong, and whoever stops a run wants it stopped.
bool worth_repeating(int status) {
  return status != 0 && status != 2 && !was_stopped(status);
}

int train_with_repetitions(const AfterCall& call, const fs::path& checkpoint) {
  Arguments train = {"train", call.config_file};
  train.insert(train.end(), call.options.begin(), call.options.end());
  const fs::file_time_type start = fs::file_time_type::clock::now();
  int status = run_program(train);
  for (int i = 1; i <= call.repeat && worth_repeating(status); ++i) {
    Arguments again = train;
    const bool saved = has_saved(checkpoint, start);
    // The last -r and its file count, whatever the first run went on from.
    if (saved) again.insert(again.end(), {"-r", "--resume_file", checkpoint.string()});
    core::log().warn("training failed with status {}: repetition {} of {}, {}", status, i,
                     call.repeat,
                     saved ? "from " + checkpoint.string() : std::string("from the start"));
    status = run_program(again);
  }
  return status;
}

}  // namespace

int after(const Arguments& arguments) {
  if (ask_for_help(arguments)) {
    print_lines(fmt::format("{}\n{}", after_usage, config::help_text()));
    return 0;
  }
  const AfterCall call = read_after_call(arguments);
  // What is wrong with the call is said now, not when the process has ended.
  const config::Configuration configuration = config::parse_run(call.config_file, call.options);
  log_to_console();
  wait(call.pid);
  return train_with_repetitions(call, run::RunFiles(configuration.options).checkpoint);
}

}  // namespace lowbit::app
