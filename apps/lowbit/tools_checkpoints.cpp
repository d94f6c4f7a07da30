// lowbit tools inspect | update | load | save | inference: what a checkpoint holds, under which
// names, and what of it fits a network.

#include "console.h"
#include "lowbit/checkpoint/checkpoint_file.h"
#include "lowbit/checkpoint/tools.h"
#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/models/convolutions.h"
#include "lowbit/models/factory.h"
#include "lowbit/run/loaded_network.h"
#include "open_checkpoint.h"
#include "output.h"
#include "tool_call.h"
#include "tools.h"

namespace lowbit::app {
namespace {

void print_list(const char* title, const std::vector<std::string>& names) {
  if (names.empty()) return;
  print("{} {}:\n", names.size(), title);
  for (const std::string& name : names) print("  {}\n", name);
}

void print_report(const run::LoadedNetwork& loaded, const std::string& path) {
  const checkpoint::LoadReport& report = loaded.report;
  const size_t entries = checkpoint::named_tensors(*loaded.network).size();
  print("{}\n", loaded.network->description());
  if (!report.prefix.empty()) print("without the prefix '{}' of the file's names\n", report.prefix);
  if (report.stayed.empty() && report.unused.empty() && report.reshaped.empty())
    print("all {} entries of the network are in {}\n", entries, path);
  print_list("entries of the network that are not in the file, or of another size", report.stayed);
  print_list("entries of the file that are left unused", report.unused);
  print_list("entries that differ in sides of 1", report.reshaped);
  print_list("entries passed over: they are there under another prefix, too", report.shadowed);
}

run::LoadedNetwork load(const ToolCall& call) {
  const std::string path = call.checkpoint();
  const checkpoint::Value file = checkpoint::read_checkpoint(path);
  const config::Configuration configuration =
      configuration_of(file, path, call.network, /*for_network=*/true);
  run::LoadedNetwork loaded = run::load_network(configuration.options.model, file, path);
  print_report(loaded, path);
  return loaded;
}

}  // namespace

int inspect_checkpoint(const Arguments& arguments) {
  const auto call = read_tool_call("inspect", "list what a checkpoint holds", arguments);
  if (!call) return 0;
  const std::string path = call->checkpoint();
  try {
    const std::string list = call->verbose_list.empty() ? "ratio,sep" : call->verbose_list;
    const std::string found = checkpoint::inspect(checkpoint::read_checkpoint(path), list);
    if (found.empty())
      complain("warning: no quantizer has any of {}: --verbose_list all lists all entries\n", list);
    print_lines(found);
  } catch (core::Error& error) {
    error.at(path);
    throw;
  }
  return 0;
}

int update_checkpoint(const Arguments& arguments) {
  const auto call = read_tool_call("update", "rename the entries of a checkpoint", arguments);
  if (!call) return 0;
  const std::string path = call->checkpoint();
  const std::string& target = call->require(call->new_file, "--new");
  const std::string& from = call->require(call->mapping_from, "--mapping_from");
  const std::string& to = call->require(call->mapping_to, "--mapping_to");
  const checkpoint::NameMapping mapping = checkpoint::read_name_mapping(from, to);
  const checkpoint::UpdateReport report =
      checkpoint::update_names(path, target, mapping, call->raw);
  print("{} names changed, {} kept\n", report.renamed, report.kept);
  for (const std::string& prefix : report.unmatched) print("matched nothing: {}\n", prefix);
  for (const std::string& entry : report.dropped) print("left out: {}\n", entry);
  for (const auto& written : report.written) print("wrote {}\n", written.string());
  return 0;
}

int load_checkpoint(const Arguments& arguments) {
  const auto call = read_tool_call("load", "say what of a checkpoint fits a network", arguments);
  if (!call) return 0;
  log_to_console();
  load(*call);
  return 0;
}

int save_checkpoint(const Arguments& arguments) {
  const auto call = read_tool_call("save", "load, then write what the network holds", arguments);
  if (!call) return 0;
  log_to_console();
  const std::string& target = call->require(call->new_file, "--new");
  core::require_writable(target, core::Special::written);
  const run::LoadedNetwork loaded = load(*call);
  checkpoint::write_checkpoint(target,
                               checkpoint::to_dict(checkpoint::named_tensors(*loaded.network)));
  print("wrote {}\n", target);
  return 0;
}

int infer_once(const Arguments& arguments) {
  const auto call = read_tool_call("inference", "list the convolutions of a pass", arguments);
  if (!call) return 0;
  log_to_console();
  std::shared_ptr<models::Network> network;
  if (call->names_checkpoint()) {
    network = load(*call).network;
  } else {
    const config::Configuration configuration = config::parse_options(call->network);
    for (const std::string& warning : configuration.warnings) complain("warning: {}\n", warning);
    network = models::make_network(configuration.options.model);
    print("{}\n", network->description());
  }
  print_lines(models::format_convolutions(network->structure()));
  return 0;
}

}  // namespace lowbit::app
