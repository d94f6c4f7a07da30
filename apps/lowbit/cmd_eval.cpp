// lowbit eval CHECKPOINT [options]: a checkpoint evaluated from the description inside it, or from
// the options if it is another program's.
#include <fmt/format.h>

#include <filesystem>

#include "command_line.h"
#include "commands.h"
#include "console.h"
#include "lowbit/config/parse.h"
#include "lowbit/core/error.h"
#include "lowbit/run/run_state.h"
#include "lowbit/train/trainer.h"
#include "open_checkpoint.h"
#include "output.h"
#include "run_summary.h"

namespace lowbit::app {
namespace {

constexpr const char* eval_usage =
    "usage: lowbit eval CHECKPOINT [options]\n\n"
    "Evaluates a checkpoint that lowbit train wrote on the validation set it was trained with. "
    "The\n"
    "options change what the checkpoint says of itself: --root FOLDER, --dataset NAME, -v 100, "
    "...\n"
    "The file of another program is described by them: --model resnet20 --dataset cifar100\n"
    "--keyword cifar100,origin,fix,singleconv,cbsa --width_alpha 0.25 ...\n";

constexpr int usual_batch = 100;  // images of a step, for runs that did not validate

config::Configuration configuration_for(const checkpoint::Value& checkpoint,
                                        const std::string& path, const Arguments& options) {
  config::Configuration configuration = configuration_to_use(checkpoint, path, options);
  config::TrainOptions& run = configuration.options.train;
  run.evaluate = true;
  // The weights are those of this file, wherever the run had its own from.
  run.pretrained = std::filesystem::absolute(path).string();
  if (configuration.options.data.val_batch < 1) configuration.options.data.val_batch = usual_batch;
  return configuration;
}

}  // namespace

int eval(const Arguments& arguments) {
  if (ask_for_help(arguments)) {
    print_lines(fmt::format("{}\n{}", eval_usage, config::help_text()));
    return 0;
  }
  if (arguments.empty()) {
    complain_lines(eval_usage);
    return 2;
  }
  const FileCall call = split_call("eval", "checkpoint", arguments);
  if (!call.file)
    throw core::usage_error("eval: no checkpoint is given")
        .detail("'lowbit eval -h' says how it is called");
  const std::string& path = *call.file;
  const checkpoint::Value checkpoint = checkpoint::read_checkpoint(path);
  log_to_console();
  const config::Configuration configuration = configuration_for(checkpoint, path, call.options);
  require_inputs(configuration.options);

  ProgressDisplay display;
  train::Trainer trainer(configuration, display);
  require_weights(trainer.loaded(), path);
  evaluate(trainer);
  return 0;
}

}  // namespace lowbit::app
