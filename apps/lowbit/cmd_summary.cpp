// lowbit summary CONFIG|CHECKPOINT|MODEL.lowbit [options]: the layers of a network and what they
// cost.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <optional>

#include "command_line.h"
#include "commands.h"
#include "console.h"
#include "lowbit/config/parse.h"
#include "lowbit/core/error.h"
#include "lowbit/core/log.h"
#include "lowbit/deploy/packed_summary.h"
#include "lowbit/models/factory.h"
#include "lowbit/models/summary.h"
#include "lowbit/runtime/packed_network.h"
#include "lowbit/train/checkpoint_file.h"
#include "lowbit/train/loaded_network.h"
#include "open_checkpoint.h"

namespace lowbit::app {
namespace {

constexpr const char* summary_usage =
    "usage: lowbit summary [CONFIG|CHECKPOINT|MODEL.lowbit] [options]\n\n"
    "Lists the layers of a network: shapes, bits of weights and activations (32: not quantized),\n"
    "parameters, multiply-accumulates of one image; then the totals, and the memory that all\n"
    "numbers take as float32 and packed. Needs neither data nor weights.\n\n"
    "A checkpoint that lowbit train wrote describes its network; for the file of another program\n"
    "the options do, as for no file: --model resnet20 --keyword cifar100,cbsa,origin ...\n\n"
    "Of a packed file, which takes no options: what is done together, with the kernel that this\n"
    "machine has for it and the bytes that it takes in the file.\n";

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

// By its name, or by the mark of its format where it has another one.
bool is_packed(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string start(8, '\0');
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  return path.ends_with(".lowbit") || packed::ModelBufferHasIdentifier(start.data());
}

void print_classes(const runtime::PackedNetwork& network) {
  constexpr size_t kShown = 5;
  const std::vector<std::string> names = network.class_names();
  fmt::print("{} classes", network.description().classes);
  if (!names.empty())
    fmt::print(": {}{}",
               fmt::join(names.begin(), names.begin() + std::min(kShown, names.size()), ", "),
               names.size() > kShown ? ", ..." : "");
  fmt::print("\n");
}

int summarize_packed(const std::string& path) {
  const runtime::PackedNetwork network(path, "auto", /*threads=*/1);
  const lowbit_description& about = network.description();
  fmt::print("{}\n", about.network);
  fmt::print("images of {} x {} pixels and {} channels, as bytes", about.height, about.width,
             about.channels);
  if (about.resize > 0)
    fmt::print(": the center of a picture whose shorter side was resized to {}", about.resize);
  fmt::print("\n");
  print_classes(network);
  if (*about.checked) fmt::print("checked when it was written: {}\n", about.checked);
  fmt::print("\n{}", deploy::format_summary(deploy::summarize(network, path)));
  return 0;
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
  const auto [file, options] = split_call("summary", "file", arguments);
  if (file && is_packed(*file)) {
    if (!options.empty())
      throw core::usage_error("summary: '{}' is no option for a packed file", options.front());
    return summarize_packed(*file);
  }
  const bool checkpoint = file && train::looks_like_checkpoint(*file);
  const auto network =
      checkpoint ? network_of_checkpoint(*file, options) : network_of_config(file, options);
  fmt::print("{}\n\n{}", network->description(),
             models::format_summary(models::summarize(*network)));
  return 0;
}

}  // namespace lowbit::app
