// lowbit VERB ...: finds the verb, prints what the library says, picks the exit status.
#include <fmt/format.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <string>

#include "commands.h"
#include "lowbit/core/error.h"
#include "lowbit/core/threads.h"
#include "output.h"
#include "report_error.h"
#include "verb_table.h"

namespace {

using lowbit::app::Arguments;
using lowbit::app::Verb;

constexpr Verb program_verbs[] = {
    {"train", "train [CONFIG] [options]", "train a network; --dry-run only reads",
     lowbit::app::train},
    {"eval", "eval CHECKPOINT [options]", "evaluate what train has saved", lowbit::app::eval},
    {"summary", "summary CONFIG|CHECKPOINT|MODEL", "list layers: shapes, bits, costs",
     lowbit::app::summary},
    {"after", "after PID CONFIG [repeat]", "train when a process has ended", lowbit::app::after},
    {"report", "report RUN...", "an HTML page of one or more runs", lowbit::app::report},
    {"tools", "tools VERB ...", "check and rewrite checkpoints, images", lowbit::app::tools},
    {"export", "export CHECKPOINT", "pack for inference", lowbit::app::export_network},
    {"run", "run MODEL IMAGE|FOLDER|DATASET", "classify", lowbit::app::run},
    {"bench", "bench MODEL", "time a packed network", lowbit::app::bench},
};

std::string help_text() {
  return fmt::format(
      "lowbit {}: image classifiers with 1 to 4 bit weights and activations\n\n"
      "usage:\n{}\n"
      "lowbit VERB -h lists the options of a verb, docs/options.md all of them.\n\n"
      "examples:\n"
      "  lowbit train config/config.lsq.train-scratch.fashion.2bit.resnet20\n"
      "  lowbit train CONFIG --lr 0.02 --epochs 60 --device cuda --fp16\n"
      "  lowbit train CONFIG --dry-run\n"
      "  lowbit eval weights/resnet20/fashion-lsq-scratch-2bit-checkpoint.pth.tar\n\n"
      "exit status: 0 done, 1 run failed, 2 wrong use, 128 + n stopped by signal n\n",
      LOWBIT_VERSION, lowbit::app::verb_lines(program_verbs, "lowbit"));
}

int dispatch(const Arguments& arguments) {
  const std::string name = arguments.empty() ? "" : arguments[0];
  if (name == "-h" || name == "--help" || name == "help") {
    lowbit::app::print_lines(help_text());
    return 0;
  }
  if (name == "--version") {
    lowbit::app::print("lowbit {}\n", LOWBIT_VERSION);
    return 0;
  }
  if (name.empty()) {
    lowbit::app::complain_lines(help_text());
    return 2;
  }
  return lowbit::app::find_verb(program_verbs, "lowbit", name)
      .run({arguments.begin() + 1, arguments.end()});
}

// How OpenMP's threads wait for each other, a thousand times in a training step. To wake a sleeping
// core takes longer than most of these waits, so they spin at first; not for long, as a spinning
// thread may hold the core that the awaited one needs: only where each has a core of its own. Where
// a quota limits the process, spinning would use it up; fewer threads than cores are not pinned.
// OpenMP's library reads this when it is loaded, before main() and before the C library lets anyone
// set it, and no call changes it later: hence the second start. Debian's static protobuf cannot be
// part of a library, so that the program cannot be one that is loaded afterwards.
void set_up_waiting(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT")) return;
  const bool pinned =
      static_cast<size_t>(lowbit::core::wanted_threads()) == lowbit::core::allowed_cores().size();
  ::setenv("GOMP_SPINCOUNT", pinned ? "20000" : "0", 1);
  // By its path, so that process lists show its name. On failure: go on, only slower.
  std::error_code unknown;
  ::execv(std::filesystem::read_symlink("/proc/self/exe", unknown).c_str(), argv);
}

// LibTorch needs more stack than a low limit of the shell leaves, in every thread. An Error
// (failure) where the limit cannot be raised.
void require_stack() {
  constexpr rlim_t kUsual = rlim_t{8} << 20, kLeast = rlim_t{1} << 20;
  rlimit limit = {};
  if (::getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur >= kLeast) return;
  const rlim_t wanted = limit.rlim_max < kLeast ? kUsual : std::min(kUsual, limit.rlim_max);
  const rlimit raised = {wanted, std::max(wanted, limit.rlim_max)};
  pthread_attr_t threads;
  ::pthread_attr_init(&threads);
  ::pthread_attr_setstacksize(&threads, wanted);
  const bool done =
      ::setrlimit(RLIMIT_STACK, &raised) == 0 && ::pthread_setattr_default_np(&threads) == 0;
  ::pthread_attr_destroy(&threads);
  if (!done)
    throw lowbit::core::failure("the stack is limited to {} KiB, at least {} are needed: ulimit -s",
                                limit.rlim_cur >> 10, kLeast >> 10);
}

// The exit status, after the message of what went wrong.
int run_verb(const Arguments& arguments) {
  try {
    require_stack();
    return dispatch(arguments);
  } catch (const lowbit::app::OutputLost&) {
    return 0;  // flush_output throws it again
  } catch (...) {
    return lowbit::app::report_error(std::current_exception());
  }
}

}  // namespace

int main(int argc, char** argv) {
  lowbit::app::prepare_output();
  set_up_waiting(argv);
  const int status = run_verb({argv + 1, argv + argc});
  try {
    lowbit::app::flush_output();
  } catch (const lowbit::app::OutputLost& lost) {
    if (!lost.reader_left()) lowbit::app::complain("lowbit: {}\n", lost.what());
    return status == 0 ? lost.status() : status;
  }
  return status;
}
