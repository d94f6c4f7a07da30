// What a verb of `lowbit tools` is told.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "commands.h"
#include "lowbit/config/options.h"

namespace CLI {
class App;
}

namespace lowbit::app {

struct ToolCall {
  std::string old_file, new_file, mapping_from, mapping_to, verbose_list, tolerances;
  std::string format = "jpeg";
  int side = 0, quality = 95;
  bool raw = false;
  Arguments words;    // those that are no option, for verbs that take some
  Arguments network;  // every other option: one of lowbit train
  std::string verb;   // for errors

  // A usage error that names the option if its value is empty.
  const std::string& require(const std::string& value, const char* option) const;
  // The file that --old names, else --pretrained: as given, or where a run finds its weights. A
  // usage error if neither does.
  std::string checkpoint() const;
  bool names_checkpoint() const;
};

// Reads the arguments behind the verb; nothing if they asked for help, which is then printed. A
// usage error for an unknown option, with the nearest of all. words: what the words are, for the
// help and errors; null: there are none. more: adds options that this verb alone has.
std::optional<ToolCall> read_tool_call(const std::string& verb, const char* help,
                                       const Arguments& arguments, const char* words = nullptr,
                                       const std::function<void(CLI::App&)>& more = {});

}  // namespace lowbit::app
