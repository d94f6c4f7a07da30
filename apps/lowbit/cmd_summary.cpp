// lowbit summary CONFIG|CHECKPOINT|MODEL.lowbit [options]: the layers of a network and what they
// cost, or its graph.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "command_line.h"
#include "commands.h"
#include "console.h"
#include "lowbit/checkpoint/checkpoint_file.h"
#include "lowbit/config/parse.h"
#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/core/log.h"
#include "lowbit/deploy/packed_summary.h"
#include "lowbit/graph/picture.h"
#include "lowbit/graph/text.h"
#include "lowbit/models/factory.h"
#include "lowbit/models/summary.h"
#include "lowbit/run/loaded_network.h"
#include "lowbit/runtime/packed_network.h"
#include "open_checkpoint.h"
#include "output.h"

namespace lowbit::app {
namespace {

constexpr const char* summary_usage =
    "usage: lowbit summary [CONFIG|CHECKPOINT|MODEL.lowbit] [options]\n\n"
    "Lists the layers of a network: shapes, bits of weights and activations (32: not quantized),\n"
    "parameters, multiply-accumulates of one image; then the totals, and the memory that all\n"
    "numbers take as float32 and packed. Needs neither data nor weights.\n\n"
    "A checkpoint that lowbit train wrote describes its network; for the file of another program\n"
    "the options do, as for no file: --model resnet20 --keyword cifar100,cbsa,origin ...\n\n"
    "--graph prints the network's graph instead, a line for each operation with shape, inputs and\n"
    "attributes; --graph FILE.svg draws it.\n\n"
    "Of a packed file, which takes no options: what is done together, with the kernel that this\n"
    "machine has for it and the bytes that it takes in the file.\n";

std::shared_ptr<models::Network> network_of_checkpoint(const std::string& path,
                                                       const Arguments& options) {
  const checkpoint::Value file = checkpoint::read_checkpoint(path);
  const config::Configuration configuration =
      configuration_of(file, path, options, /*for_network=*/true);
  const run::LoadedNetwork loaded = run::load_network(configuration.options.model, file, path);
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
  std::string start = core::read_start(path, 8);
  start.resize(8);
  return path.ends_with(".lowbit") || packed::ModelBufferHasIdentifier(start.data());
}

void print_classes(const runtime::PackedNetwork& network) {
  constexpr size_t kShown = 5;
  const std::vector<std::string> names = network.class_names();
  print("{} classes", network.description().classes);
  for (size_t i = 0; i < std::min(kShown, names.size()); ++i)
    print("{}{}", i == 0 ? ": " : ", ", names[i]);
  print_lines(names.size() > kShown ? ", ...\n" : "\n");
}

// What --graph asks for.
struct GraphRequest {
  bool given = false;
  std::string file;  // of the picture; "": the text
};

// Takes --graph [FILE.svg] out of the arguments.
GraphRequest take_graph_request(Arguments& arguments) {
  GraphRequest request;
  const auto word = std::ranges::find(arguments, "--graph");
  if (word == arguments.end()) return request;
  request.given = true;
  auto end = word + 1;
  if (end != arguments.end() && end->ends_with(".svg")) request.file = *end++;
  arguments.erase(word, end);
  return request;
}

void show_graph(const models::Network& network, const GraphRequest& request) {
  const graph::Graph& graph = network.graph();
  if (request.file.empty()) {
    print_lines(to_text(graph));
    return;
  }
  core::replace_file(request.file, to_svg(graph));
  print("{}: {} operations\n", request.file, graph.nodes.size());
}

int summarize_packed(const std::string& path) {
  const runtime::PackedNetwork network(path, "auto", /*threads=*/1);
  const lowbit_description& about = network.description();
  print("{}\n", about.network);
  print("images of {} x {} pixels and {} channels, as bytes", about.height, about.width,
        about.channels);
  if (about.resize > 0)
    print(": the center of a picture whose shorter side was resized to {}", about.resize);
  print("\n");
  print_classes(network);
  if (*about.checked) print("checked when it was written: {}\n", about.checked);
  const deploy::PackedSummary summary = deploy::summarize(network, path);
  if (!summary.not_finite.empty())
    core::log().warn("{}: it has numbers that are not finite: {}", path, summary.not_finite);
  print_lines("\n" + deploy::format_summary(summary));
  return 0;
}

}  // namespace

int summary(const Arguments& arguments) {
  if (ask_for_help(arguments)) {
    print_lines(fmt::format("{}\n{}", summary_usage, config::help_text()));
    return 0;
  }
  if (arguments.empty()) {
    complain_lines(summary_usage);
    return 2;
  }
  log_to_console();
  Arguments words = arguments;
  const GraphRequest graph = take_graph_request(words);
  const auto [file, options] = split_call("summary", "file", words);
  if (!graph.file.empty()) core::require_writable(graph.file, core::Special::written);
  if (file && is_packed(*file)) {
    if (graph.given) throw core::usage_error("summary: a packed file has no graph to show");
    if (!options.empty())
      throw core::usage_error("summary: '{}' is no option for a packed file", options.front());
    return summarize_packed(*file);
  }
  const bool checkpoint = file && checkpoint::looks_like_checkpoint(*file);
  const auto network =
      checkpoint ? network_of_checkpoint(*file, options) : network_of_config(file, options);
  if (graph.given) {
    show_graph(*network, graph);
    return 0;
  }
  print("{}\n\n", network->description());
  print_lines(models::format_summary(models::summarize(*network)));
  return 0;
}

}  // namespace lowbit::app
