// lowbit train [CONFIG] [options]: a run from its config file to its summary.

#include <cstdlib>
#include <memory>
#include <optional>

#include "command_line.h"
#include "commands.h"
#include "console.h"
#include "export_to.h"
#include "float_peer.h"
#include "launcher.h"
#include "lowbit/checkpoint/checkpoint_file.h"
#include "lowbit/config/parse.h"
#include "lowbit/core/error.h"
#include "lowbit/core/interrupt.h"
#include "lowbit/core/log.h"
#include "lowbit/distributed/group.h"
#include "lowbit/models/factory.h"
#include "lowbit/models/network_size.h"
#include "lowbit/optim/schedule.h"
#include "lowbit/run/run_files.h"
#include "lowbit/run/run_log.h"
#include "lowbit/train/trainer.h"
#include "open_checkpoint.h"
#include "output.h"
#include "process.h"
#include "run_group.h"
#include "run_summary.h"

namespace lowbit::app {
namespace {

// What was given at level info, the defaults at the level `defaults`.
void log_settings(const config::Configuration& configuration, spdlog::level::level_enum defaults) {
  for (const config::Setting& setting : configuration.settings)
    core::log().log(setting.source == "default" ? defaults : spdlog::level::info,
                    "{:26} {:32} ({})", setting.name, setting.value, setting.source);
}

void log_schedule(const config::TrainOptions& options) {
  for (int epoch = 0; epoch < optim::total_epochs(options); ++epoch)
    core::log().info("epoch {:3}: lr {:.6g}", epoch, optim::learning_rate(options, epoch));
}

// Everything that can be said without data and weights.
int dry_run(config::Configuration configuration) {
  try {
    use_classes_of_files(configuration);
  } catch (const core::Error&) {
    // Files that are missing are warned of below.
  }
  log_settings(configuration, spdlog::level::info);
  const auto network = models::make_network(configuration.options.model);
  core::log().info("network: {}", network->description());
  const models::NetworkSize size = models::network_size(*network);
  core::log().info("parameters: {}, {} as float32, {} packed", size.parameters,
                   models::bytes_text(size.float_bytes), models::bytes_text(size.packed_bytes));
  log_schedule(configuration.options.train);
  warn_of_missing_files(configuration.options);
  return 0;
}

// Of the processes that train together only the one that leads it is heard.
class Silence : public run::Observer {
 public:
  void on_progress(const run::Progress&) override {}
  void on_pass_end() override {}
};

bool leads(const distributed::Group* group) {
  return !group || group->leads();
}

std::unique_ptr<run::Observer> observer_of(const distributed::Group* group) {
  if (leads(group)) return std::make_unique<ProgressDisplay>();
  return std::make_unique<Silence>();
}

int evaluate_only(const config::Configuration& configuration, distributed::Group* group) {
  const auto observer = observer_of(group);
  train::Trainer trainer(configuration, *observer, run::find_start(configuration.options), group);
  const config::TrainOptions& options = configuration.options.train;
  if (options.resume_scope.empty() && options.unresume_scope.empty())
    require_weights(trainer.loaded(), trainer.loaded_file());
  evaluate(trainer);
  return 0;
}

// Where the run goes on; its files are this run's from then on.
struct Beginning {
  std::unique_ptr<core::FileLock> lock;
  run::RunStart start;
};

Beginning begin(const config::Configuration& configuration, distributed::Group* group) {
  const run::RunFiles files(configuration.options);
  Beginning beginning;
  if (leads(group)) {
    files.make_folders();
    beginning.lock.reset(new core::FileLock(files.lock_files()));
    files.remove_unfinished();
  }
  if (group) group->wait_for_all();
  beginning.start = run::find_start(configuration.options);
  if (leads(group)) {
    run::begin_log(files.log, beginning.start);
    log_to_file(files.log);
    log_settings(configuration, spdlog::level::debug);
  }
  return beginning;
}

run::RunResult train_to_the_end(const config::Configuration& configuration,
                                distributed::Group* group, run::RunStart start) {
  const auto observer = observer_of(group);
  train::Trainer trainer(configuration, *observer, std::move(start), group);
  // Until then there is nothing to save.
  run::RunResult result = trainer.train(core::catch_interrupts);
  if (leads(group)) print_summary(trainer, result);
  return result;
}

// The network that the run has saved, on a CPU.
void pack(const config::Configuration& configuration, const run::RunFiles& files) {
  constexpr double kSeconds = 3;
  const std::string checkpoint = files.checkpoint.string();
  const checkpoint::Value file = checkpoint::read_checkpoint(checkpoint);
  export_to(files.packed.string(), file, checkpoint);
  log_against_float32({.model = files.packed.string(), .threads = 1}, file, checkpoint,
                      configuration, kSeconds);
}

int train_all(const config::Configuration& configuration, distributed::Group* group) {
  Beginning beginning = begin(configuration, group);
  const run::RunResult result = train_to_the_end(configuration, group, std::move(beginning.start));
  int signal = result.interrupted;
  if (leads(group)) {
    const run::RunFiles files(configuration.options);
    if (configuration.options.train.pack && !signal) signal = core::interrupted();
    if (configuration.options.train.pack && !signal) {
      end_at_signals();
      pack(configuration, files);
    }
    print_next_steps(configuration, files);
  }
  return signal ? 128 + signal : 0;
}

int run(const config::Configuration& configuration, distributed::Group* group) {
  return configuration.options.train.evaluate ? evaluate_only(configuration, group)
                                              : train_all(configuration, group);
}

// One of several processes.
int run_at(const distributed::Place& place, config::Configuration configuration) {
  end_with_launcher();
  distributed::take_part_of_cores(place);
  const auto group = join(place, configuration);
  try {
    // The leader downloads what is missing before the others look for it, however long that takes.
    if (place.leads()) require_inputs(configuration.options);
    group->wait_for_all(distributed::Limit::none);
    use_classes_of_files(configuration);
    return run(configuration, group.get());
  } catch (const std::exception& error) {
    group->leave(error.what());
    throw;
  }
}

int launch_all(Arguments arguments, int here, const config::TrainOptions& options) {
  // Whether the last of them has a GPU.
  const distributed::Place last = {.local_rank = here - 1, .local_size = here};
  train::choose_device(options, &last);
  arguments.insert(arguments.begin(), "train");
  return launch(arguments, here, options);
}

}  // namespace

int train(const Arguments& arguments) {
  if (ask_for_help(arguments)) {
    print_lines("usage: lowbit train [CONFIG] [options]\n\n" + config::help_text());
    return 0;
  }
  // That of train.sh, for calls without one.
  const char* default_file = std::getenv("LOWBIT_DEFAULT_CONFIG");
  FileCall call = split_call("train", "config file", arguments);
  if (!call.file && default_file) call.file = default_file;
  if (!call.file && call.options.empty())
    throw core::usage_error("train: neither a config file nor options are given")
        .detail("for example: lowbit train config/config.lsq.train-scratch.fashion.2bit.resnet20");
  config::Configuration configuration = config::parse_run(call.file, call.options);
  const config::TrainOptions& options = configuration.options.train;
  const auto place = distributed::place_from_environment();
  // Before anything is said: that the first of the processes does.
  if (!place && !options.dry_run && !options.lr_test) {
    const int here = train::processes_here(options);
    if (here > 1 || options.world_size > 1) return launch_all(arguments, here, options);
  }
  if (!place || place->leads()) {
    log_to_console(options.verbose);
    for (const std::string& warning : configuration.warnings) core::log().warn(warning);
    if (const std::string alone = distributed::incomplete_place(); !alone.empty())
      core::log().warn(alone);
  }
  if (options.dry_run) return dry_run(configuration);
  if (options.lr_test) {
    log_schedule(options);
    return 0;
  }
  end_at_signals();
  if (place) return run_at(*place, configuration);
  require_inputs(configuration.options);
  use_classes_of_files(configuration);
  if (options.sync_bn) core::log().warn("option '--sync_bn' has no effect with one process");
  return run(configuration, nullptr);
}

}  // namespace lowbit::app
