// lowbit summary CONFIG|CHECKPOINT [options]: the layers of a network and what they cost.
#include <fmt/format.h>

#include <optional>

#include "commands.h"
#include "console.h"
#include "lowbit/config/parse.h"
#include "lowbit/core/log.h"
#include "lowbit/models/factory.h"
#include "lowbit/models/summary.h"
#include "lowbit/train/checkpoint_file.h"
#include "lowbit/train/loaded_network.h"
#include "open_checkpoint.h"

namespace lowbit::app {
namespace {

constexpr const char* summary_usage =
    "usage: lowbit summary [CONFIG|CHECKPOINT] [options]\n\n"
    "Lists the layers of a network: shapes, bits of weights and activations (32: not quantized),\n"
    "parameters, multiply-accumulates of one image; then the totals, and the memory that all\n"
    "numbers take as float32 and packed. Needs neither data nor weights.\n\n"
    "A checkpoint that lowbit train wrote describes its network; for the file of another program\n"
    "the options do, as for no file: --model resnet20 --keyword cifar100,cbsa,origin ...\n";

std::shared_ptr<models::Network> network_of_checkpoint(const std::string& path,
                                                       const Arguments& options) {
  const train::Value file = train::read_checkpoint(path);
  const config::Configuration configuration =
      configuration_of(file, path, options, /*for_network=*/true);
  const train::LoadedNetwork loaded = train::load_network(configuration.options.model, file, path);
  if (!loaded.report.stayed.empty())
    core::log().warn(
        "{}: {} entries of the network are not in it, or of another size; the first: {}", path,
        loaded.report.stayed.size(), loaded.report.stayed.front());
  return loaded.network;
}

std::shared_ptr<models::Network> network_of_config(const std::optional<std::string>& file,
                                                   const Arguments& options) {
  const config::Configuration configuration = config::parse_network(file, options);
  for (const std::string& warning : configuration.warnings) core::log().warn(warning);
  return models::make_network(configuration.options.model);
}

}  // namespace

int summary(const Arguments& arguments) {
  if (ask_for_help(arguments)) {
    fmt::print("{}\n{}", summary_usage, config::help_text());
    return 0;
  }
  if (arguments.empty()) {
    fmt::print(stderr, "{}", summary_usage);
    return 2;
  }
  log_to_console();
  std::optional<std::string> file;
  Arguments options = arguments;
  if (!arguments[0].starts_with("-")) {
    file = arguments[0];
    options.erase(options.begin());
  }
  const bool checkpoint = file && train::looks_like_checkpoint(*file);
  const auto network =
      checkpoint ? network_of_checkpoint(*file, options) : network_of_config(file, options);
  fmt::print("{}\n\n{}", network->description(),
             models::format_summary(models::summarize(*network)));
  return 0;
}

}  // namespace lowbit::app
