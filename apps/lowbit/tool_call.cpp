#include "tool_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "command_line.h"
#include "lowbit/config/match.h"
#include "lowbit/config/parse.h"
#include "lowbit/core/error.h"
#include "lowbit/run/run_files.h"

namespace lowbit::app {
namespace {

void add_options(CLI::App& app, ToolCall& call) {
  app.add_option("--old", call.old_file, "checkpoint to read; default: that of --pretrained");
  app.add_option("--new", call.new_file, "checkpoint to write");
  app.add_option("--mf,--mapping_from", call.mapping_from, "names, one a line");
  app.add_option("--mt,--mapping_to", call.mapping_to, "what line i becomes");
  app.add_option("--verbose_list", call.verbose_list,
                 "inspect: all, or last name parts (ratio,sep); swap: 3/1-0-2; "
                 "verify-image: files");
  app.add_option("--tolerances", call.tolerances, "parity: tolerances by case name (JSON)");
  app.add_option("--side", call.side,
                 "pack-data: pixels that the shorter side of every image gets; default: as it is")
      ->check(CLI::Range(1, 65500));
  app.add_option("--format", call.format, "pack-data: jpeg (default), or raw: pixels")
      ->check(CLI::IsMember({"jpeg", "raw"}));
  app.add_option("--quality", call.quality, "pack-data: of images that become JPEG anew")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_flag("--raw", call.raw, "update: also write the bare dict, to NEW-raw");
  app.footer("And every option of lowbit train (lowbit train -h): --model, --keyword, --root, ...");
}

// What is neither an option here nor one of lowbit train.
void refuse_unknown(const CLI::App& app, const Arguments& others) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  for (const config::Option& option : config::all_options())
    for (const std::string& name : option.names)
      if (name.starts_with("--")) names.push_back(name);
  for (const std::string& word : others) {
    const std::string name = word.substr(0, word.find('='));
    if (name.starts_with("--") && !config::find_option(name))
      throw core::usage_error("unknown option '{}'", name).suggest(core::nearest_name(name, names));
  }
}

// `raw` among the keywords is --raw.
bool names_raw(const Arguments& options) {
  for (size_t i = 0; i < options.size(); ++i) {
    const bool keyword = options[i] == "--keyword" && i + 1 < options.size();
    if (!keyword && !options[i].starts_with("--keyword=")) continue;
    const std::string list = keyword ? options[i + 1] : options[i].substr(options[i].find('=') + 1);
    const std::string words = "," + list + ",";
    if (words.find(",raw,") != std::string::npos) return true;
  }
  return false;
}

}  // namespace

const std::string& ToolCall::require(const std::string& value, const char* option) const {
  if (value.empty())
    throw core::usage_error("tools {}: {} is missing", verb, option)
        .detail(fmt::format("'lowbit tools {} -h' lists the options", verb));
  return value;
}

bool ToolCall::names_checkpoint() const {
  return !old_file.empty() || !config::parse_values(network).train.pretrained.empty();
}

std::string ToolCall::checkpoint() const {
  if (!old_file.empty()) return old_file;
  const config::Options options = config::parse_values(network);
  const std::string& name = require(options.train.pretrained, "--old (or --pretrained)");
  return std::filesystem::exists(name) ? name : run::find_pretrained(options).string();
}

std::optional<ToolCall> read_tool_call(const std::string& verb, const char* help,
                                       const Arguments& arguments, const char* words,
                                       const std::function<void(CLI::App&)>& more) {
  CLI::App app(help, "lowbit tools " + verb);
  ToolCall call;
  call.verb = verb;
  add_options(app, call);
  if (more) more(app);
  if (words)
    app.add_option(words, call.words)->required();
  else
    app.allow_extras();
  if (!parse_arguments(app, arguments)) return {};
  call.network = app.remaining();
  refuse_unknown(app, call.network);
  config::parse_values(call.network);  // throws
  call.raw = call.raw || names_raw(call.network);
  return call;
}

}  // namespace lowbit::app
