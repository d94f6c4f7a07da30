// lowbit eval CHECKPOINT [options]: a checkpoint evaluated from the description inside it.
#include <fmt/format.h>

#include "commands.h"
#include "console.h"
#include "lowbit/config/parse.h"
#include "lowbit/core/error.h"
#include "lowbit/core/log.h"
#include "lowbit/train/run_state.h"
#include "lowbit/train/trainer.h"

namespace lowbit::app {
namespace {

constexpr const char* usage =
    "usage: lowbit eval CHECKPOINT [options]\n\n"
    "Evaluates a checkpoint that lowbit train wrote on the validation set it was trained with.\n"
    "Options (lowbit train -h) change what the checkpoint says of itself: --root FOLDER,\n"
    "--dataset NAME, --device cpu, -v 100, ...\n";

}  // namespace

int eval(const Arguments& arguments) {
  if (arguments.empty() || arguments[0] == "-h" || arguments[0] == "--help") {
    fmt::print(arguments.empty() ? stderr : stdout, "{}", usage);
    return arguments.empty() ? 2 : 0;
  }
  const std::string& path = arguments[0];
  const train::Value checkpoint = train::read_checkpoint(path);
  Arguments options(arguments.begin() + 1, arguments.end());
  // The weights are those of this file, wherever the run had its own from.
  options.insert(options.end(), {"--pretrained", path});
  config::Configuration configuration = config::Configuration::from_json(
      train::description_of(checkpoint, path).configuration, options);
  config::TrainOptions& run = configuration.options.train;
  run.evaluate = true;
  // The network as it was saved, all of it.
  run.resume = run.re_init = false;
  run.resume_scope.clear();
  run.unresume_scope.clear();
  if (configuration.options.data.val_batch < 1) configuration.options.data.val_batch = 100;

  log_to_console();
  ProgressDisplay display;
  train::Trainer trainer(configuration, display);
  const train::Accuracy accuracy = trainer.evaluate();
  core::log().info("evaluate accuracy on dataset: top1({:.2f}) top5({:.2f})", accuracy.top1,
                   accuracy.top5);
  return 0;
}

}  // namespace lowbit::app
