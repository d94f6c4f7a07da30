// lowbit tools VERB ..., or in the older spelling lowbit tools --keyword VERB[,raw][,VERB] ...
#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "lowbit/core/error.h"
#include "output.h"
#include "tools.h"
#include "verb_table.h"

namespace lowbit::app {
namespace {

constexpr const char* tools_program = "lowbit tools";

constexpr Verb tool_verbs[] = {
    {"inspect", "inspect", "list what a checkpoint holds", inspect_checkpoint},
    {"verbose", "verbose", "the same", inspect_checkpoint},
    {"update", "update", "rename the entries of a checkpoint", update_checkpoint},
    {"load", "load", "say what of a checkpoint fits a network", load_checkpoint},
    {"save", "save", "load, then write what the network holds", save_checkpoint},
    {"swap", "swap", "reorder every few lines of a list of names", swap_list},
    {"sort", "sort", "sort a list of names", sort_list},
    {"inference", "inference", "list the convolutions of a pass", infer_once},
    {"export_onnx", "export_onnx", "as lowbit export --onnx", export_onnx},
    {"verify-data", "verify-data", "decode every image of a data set", verify_data},
    {"verify-image", "verify-image", "decode the images that are named", verify_image},
    {"pack-data", "pack-data ROOT FILE", "put a data set of images into one file", pack_data},
    {"parity", "parity CASE...", "compare networks with recorded runs", parity},
    {"options", "options", "print docs/options.md", list_options},
    {"plot-quantizers", "plot-quantizers FOLDER", "draw docs/quantizers/*.svg", plot_quantizers},
};

std::string tools_help() {
  return fmt::format(
      "usage:\n{}\n"
      "or: lowbit tools --keyword VERB[,raw][,VERB] [options]\n"
      "lowbit tools VERB -h lists the options of a verb.\n",
      verb_lines(tool_verbs, tools_program));
}

bool is_verb(const std::string& word) {
  return std::ranges::any_of(tool_verbs, [&](const Verb& verb) { return word == verb.name; });
}

// The verbs stand among the keywords, of which the others concern the network.
struct OldCall {
  std::vector<std::string> verbs;
  std::string keywords;  // the others, with commas between
  Arguments rest;
};

OldCall split_old_call(const Arguments& arguments) {
  constexpr std::string_view prefix = "--keyword=";
  OldCall call;
  std::string list;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const bool apart = arguments[i] == "--keyword" && i + 1 < arguments.size();
    if (apart || arguments[i].starts_with(prefix)) {
      list += apart ? arguments[++i] : arguments[i].substr(prefix.size());
      list += ',';
    } else {
      call.rest.push_back(arguments[i]);
    }
  }
  std::ranges::replace(list, ' ', ',');
  std::istringstream words(list);
  for (std::string word; std::getline(words, word, ',');) {
    if (word.empty()) continue;
    if (is_verb(word)) {
      call.verbs.push_back(word);
    } else {
      if (!call.keywords.empty()) call.keywords += ',';
      call.keywords += word;
    }
  }
  return call;
}

// One verb after the other; the first status that is not 0.
int run_old_call(const Arguments& arguments) {
  const OldCall call = split_old_call(arguments);
  if (call.verbs.empty() && call.keywords.empty())
    throw core::usage_error("tools: neither a verb nor --keyword VERB is given")
        .detail("'lowbit tools -h' lists the verbs");
  if (call.verbs.empty()) find_verb(tool_verbs, tools_program, call.keywords);  // throws
  Arguments rest = call.rest;
  if (!call.keywords.empty()) rest.insert(rest.end(), {"--keyword", call.keywords});
  int status = 0;
  for (const std::string& verb : call.verbs) {
    const int result = find_verb(tool_verbs, tools_program, verb).run(rest);
    if (status == 0) status = result;
  }
  return status;
}

}  // namespace

int tools(const Arguments& arguments) {
  if (arguments.empty()) {
    complain_lines(tools_help());
    return 2;
  }
  const std::string& first = arguments.front();
  if (first == "-h" || first == "--help") {
    print_lines(tools_help());
    return 0;
  }
  if (first.starts_with("-")) return run_old_call(arguments);
  return find_verb(tool_verbs, tools_program, first).run({arguments.begin() + 1, arguments.end()});
}

}  // namespace lowbit::app
