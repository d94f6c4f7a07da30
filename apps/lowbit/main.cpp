// lowbit VERB ...: finds the verb, prints what the library says, picks the exit status.
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>

#include "commands.h"
#include "launcher.h"
#include "lowbit/core/error.h"
#include "lowbit/core/threads.h"
#include "lowbit/distributed/group.h"
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

void print_help(std::FILE* to) {
  fmt::print(to,
             "lowbit {}: image classifiers with 1 to 4 bit weights and activations\n\n"
             "usage:\n",
             LOWBIT_VERSION);
  fmt::print(to, "{}", lowbit::app::verb_lines(program_verbs, "lowbit"));
  fmt::print(to,
             "\n"
             "lowbit VERB -h lists the options of a verb, docs/options.md all of them.\n\n"
             "examples:\n"
             "  lowbit train config/config.lsq.train-scratch.fashion.2bit.resnet20\n"
             "  lowbit train CONFIG --lr 0.02 --epochs 60 --device cuda --fp16\n"
             "  lowbit train CONFIG --dry-run\n"
             "  lowbit eval weights/resnet20/fashion-lsq-scratch-2bit-checkpoint.pth.tar\n\n"
             "exit status: 0 done, 1 run failed, 2 wrong use, 128 + n stopped by signal n\n");
}

int dispatch(const Arguments& arguments) {
  const std::string name = arguments.empty() ? "" : arguments[0];
  if (name == "-h" || name == "--help" || name == "help") {
    print_help(stdout);
    return 0;
  }
  if (name == "--version") {
    fmt::print("lowbit {}\n", LOWBIT_VERSION);
    return 0;
  }
  if (name.empty()) {
    print_help(stderr);
    return 2;
  }
  return lowbit::app::find_verb(program_verbs, "lowbit", name)
      .run({arguments.begin() + 1, arguments.end()});
}

// How OpenMP's threads wait for each other, a thousand times in a training step. To wake a sleeping
// core takes longer than most of these waits, so they spin at first; not for long, as a spinning
// thread may hold the core that the awaited one needs: only where each has a core of its own. Where
// a quota limits the process, spinning would use it up; fewer threads than cores are not pinned.
// The library reads this when it is loaded, hence the second start.
void set_up_waiting(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT")) return;
  const bool pinned =
      static_cast<size_t>(lowbit::core::wanted_threads()) == lowbit::core::allowed_cores().size();
  ::setenv("GOMP_SPINCOUNT", pinned ? "20000" : "0", 1);
  // By its path, so that process lists show its name. On failure: go on, only slower.
  std::error_code unknown;
  ::execv(std::filesystem::read_symlink("/proc/self/exe", unknown).c_str(), argv);
}

}  // namespace

int main(int argc, char** argv) {
  set_up_waiting(argv);
  try {
    return dispatch({argv + 1, argv + argc});
  } catch (const lowbit::core::Error& error) {
    // The launcher names the process that ended first.
    if (lowbit::app::is_launched() && dynamic_cast<const lowbit::distributed::PeerLost*>(&error))
      return lowbit::app::kLostPeer;
    fmt::print(stderr, "lowbit: {}\n", error.what());
    if (!error.details().empty()) fmt::print(stderr, "{}\n", error.details());
    return error.exit_status();
  } catch (const c10::Error& error) {
    fmt::print(stderr, "lowbit: {}\n", error.what_without_backtrace());
    return 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "lowbit: {}\n", error.what());
    return 1;
  }
}
