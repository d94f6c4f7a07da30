// lowbit train [CONFIG] [options]: a run from its config file to its summary.
#include <fmt/format.h>

#include <cstdio>
#include <optional>

#include "commands.h"
#include "console.h"
#include "lowbit/config/parse.h"
#include "lowbit/core/interrupt.h"
#include "lowbit/core/log.h"
#include "lowbit/models/factory.h"
#include "lowbit/models/network_size.h"
#include "lowbit/train/run_log.h"
#include "lowbit/train/schedule.h"
#include "lowbit/train/trainer.h"
#include "run_summary.h"

namespace lowbit::app {
namespace {

struct Call {
  std::optional<std::filesystem::path> config_file;
  Arguments options;
};

// The config file may stand first or last, as scripts of either habit have it.
Call split_call(const Arguments& arguments) {
  Call call;
  call.options = arguments;
  if (!arguments.empty() && !arguments[0].starts_with("-")) {
    call.config_file = arguments[0];
    call.options.erase(call.options.begin());
  }
  return call;
}

// What was given at level info, the defaults at the level `defaults`.
void log_settings(const config::Configuration& configuration, spdlog::level::level_enum defaults) {
  for (const config::Setting& setting : configuration.settings)
    core::log().log(setting.source == "default" ? defaults : spdlog::level::info,
                    "{:26} {:32} ({})", setting.name, setting.value, setting.source);
}

void log_schedule(const config::TrainOptions& options) {
  for (int epoch = 0; epoch < train::total_epochs(options); ++epoch)
    core::log().info("epoch {:3}: lr {:.6g}", epoch, train::learning_rate(options, epoch));
}

// Everything that can be said without data and weights.
int dry_run(const config::Configuration& configuration) {
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

int evaluate_only(const config::Configuration& configuration) {
  ProgressDisplay display;
  train::Trainer trainer(configuration, display);
  evaluate(trainer);
  return 0;
}

int train_all(const config::Configuration& configuration) {
  const train::RunFiles files(configuration.options);
  files.make_folders();
  const core::FileLock lock = files.lock_files();
  files.remove_unfinished();
  train::RunStart start = train::find_start(configuration.options);
  train::begin_log(files.log, start);
  log_to_file(files.log);
  log_settings(configuration, spdlog::level::debug);
  ProgressDisplay display;
  train::Trainer trainer(configuration, display, std::move(start));
  core::catch_interrupts();
  const train::RunResult result = trainer.train();
  print_summary(trainer, configuration, result);
  return result.interrupted ? 128 + result.interrupted : 0;
}

}  // namespace

int train(const Arguments& arguments) {
  if (ask_for_help(arguments)) {
    fmt::print("usage: lowbit train [CONFIG] [options]\n\n{}", config::help_text());
    return 0;
  }
  if (arguments.empty())
    throw core::usage_error("train: neither a config file nor options are given")
        .detail("for example: lowbit train config/config.lsq.train-scratch.fashion.2bit.resnet20");
  const Call call = split_call(arguments);
  const config::Configuration configuration = config::parse_run(call.config_file, call.options);
  log_to_console(configuration.options.train.verbose);
  for (const std::string& warning : configuration.warnings) core::log().warn(warning);
  if (configuration.options.train.dry_run) return dry_run(configuration);

  if (configuration.options.train.lr_test) {
    log_schedule(configuration.options.train);
    return 0;
  }
  require_inputs(configuration.options);
  return configuration.options.train.evaluate ? evaluate_only(configuration)
                                              : train_all(configuration);
}

}  // namespace lowbit::app
