// lowbit tools VERB ...: checkpoint files, parity cases, what the documentation is made of.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "commands.h"
#include "lowbit/config/parse.h"
#include "lowbit/core/error.h"
#include "lowbit/models/parity.h"
#include "lowbit/quant/pictures.h"
#include "lowbit/train/checkpoint_file.h"
#include "lowbit/train/tools.h"

namespace lowbit::app {
namespace {

struct ToolOptions {
  std::vector<std::string> cases;
  std::string tolerances;
  std::string old_file, new_file, mapping_from, mapping_to;
  std::string verbose_list = "ratio,sep";
  bool raw = false;
  std::string folder;
};

int parity(const ToolOptions& options) {
  const models::ToleranceTable tolerances = options.tolerances.empty()
                                                ? models::ToleranceTable()
                                                : models::ToleranceTable::read(options.tolerances);
  size_t passed = 0;
  for (const std::string& file : options.cases) {
    const models::ParityResult result = models::run_parity(file, tolerances);
    fmt::print("{}\n", models::format_line(result));
    std::fflush(stdout);
    passed += result.ok;
  }
  fmt::print("{} of {} cases ok\n", passed, options.cases.size());
  return passed == options.cases.size() ? 0 : 1;
}

int inspect(const ToolOptions& options) {
  fmt::print("{}", train::inspect(train::read_checkpoint(options.old_file), options.verbose_list));
  return 0;
}

int update(const ToolOptions& options) {
  const train::NameMapping mapping =
      train::read_name_mapping(options.mapping_from, options.mapping_to);
  const train::UpdateReport report =
      train::update_names(options.old_file, options.new_file, mapping, options.raw);
  fmt::print("{} names changed, {} kept\n", report.renamed, report.kept);
  for (const std::string& prefix : report.unmatched) fmt::print("matched nothing: {}\n", prefix);
  for (const std::string& entry : report.dropped) fmt::print("left out: {}\n", entry);
  for (const auto& path : report.written) fmt::print("wrote {}\n", path.string());
  return 0;
}

int list_options(const ToolOptions&) {
  fmt::print("{}", config::options_markdown());
  return 0;
}

int plot_quantizers(const ToolOptions& options) {
  for (const auto& path : quant::write_pictures(options.folder))
    fmt::print("wrote {}\n", path.string());
  return 0;
}

// Specified, and said to be missing by name.
constexpr const char* tools_to_come[] = {"load",      "save",        "swap",        "sort",
                                         "inference", "export_onnx", "verify-data", "verify-image"};

// CLI11 would only say that a verb is missing.
void check_verb(const CLI::App& app, const Arguments& arguments) {
  if (arguments.empty() || arguments[0].starts_with("-")) return;
  const std::string& verb = arguments[0];
  std::vector<std::string> names;
  for (const CLI::App* tool : app.get_subcommands(nullptr)) {
    if (tool->check_name(verb)) return;
    names.push_back(tool->get_name());
  }
  for (const char* tool : tools_to_come)
    if (verb == tool) throw core::usage_error("'lowbit tools {}' is not built yet", verb);
  throw core::usage_error("tools: unknown verb '{}'", verb)
      .suggest(core::nearest_name(verb, names))
      .detail("'lowbit tools -h' lists the verbs");
}

void add_checkpoint_options(CLI::App& tool, ToolOptions& options) {
  tool.add_option("--old,--pretrained", options.old_file, "the checkpoint to read")->required();
}

}  // namespace

int tools(const Arguments& arguments) {
  CLI::App app("work on checkpoint files and parity cases", "lowbit tools");
  app.require_subcommand(1);
  ToolOptions options;

  CLI::App* parity_tool =
      app.add_subcommand("parity", "compare networks with recorded runs, in float64");
  parity_tool->add_option("CASE", options.cases, "case files (JSON)")->required();
  parity_tool->add_option("--tolerances", options.tolerances, "tolerances by case name (JSON)");

  CLI::App* inspect_tool = app.add_subcommand("inspect", "list what a checkpoint holds");
  inspect_tool->alias("verbose");
  add_checkpoint_options(*inspect_tool, options);
  inspect_tool
      ->add_option("--verbose_list", options.verbose_list,
                   "all, or last name parts whose values to show")
      ->capture_default_str();

  CLI::App* update_tool = app.add_subcommand("update", "rename the entries of a checkpoint");
  add_checkpoint_options(*update_tool, options);
  update_tool->add_option("--new", options.new_file, "the file to write")->required();
  update_tool->add_option("--mf,--mapping_from", options.mapping_from, "prefixes, one a line")
      ->required();
  update_tool->add_option("--mt,--mapping_to", options.mapping_to, "what line i becomes")
      ->required();
  update_tool->add_flag("--raw", options.raw, "also write the bare dict, to NEW-raw");

  CLI::App* options_tool = app.add_subcommand("options", "print docs/options.md");

  CLI::App* plot_tool =
      app.add_subcommand("plot-quantizers", "draw the pictures of docs/quantizers.md");
  plot_tool->add_option("FOLDER", options.folder, "where the SVG files go")->required();

  check_verb(app, arguments);
  try {
    // CLI11 takes the arguments from the back.
    app.parse(Arguments(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    throw core::usage_error("tools: {}", error.what()).detail("'lowbit tools -h' lists the verbs");
  }
  if (*parity_tool) return parity(options);
  if (*inspect_tool) return inspect(options);
  if (*update_tool) return update(options);
  if (*options_tool) return list_options(options);
  if (*plot_tool) return plot_quantizers(options);
  return 2;
}

}  // namespace lowbit::app
