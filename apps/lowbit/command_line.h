// The arguments of verbs that have options of their own.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "commands.h"

namespace lowbit::app {

// Reads the arguments into what the options of `app`, named "lowbit VERB", point to; false if they
// ask for help, which is then printed. Else an Error (usage) that begins with the verb.
bool parse_arguments(CLI::App& app, const Arguments& arguments);

// A file with options of lowbit train before or behind it.
struct FileCall {
  std::optional<std::string> file;
  Arguments options;
};

// what: of the file, for the Error (usage) where there are several: "train: 'b' is a second config
// file". An unknown option is one, too.
FileCall split_call(const std::string& verb, const std::string& what, const Arguments& arguments);

// What is said of a packed network that is to run.
struct PackedCall {
  std::string model, kernels = "auto";
  int threads = 0;  // 0: as many as there are cores
};

// MODEL, --threads and --kernels, with the defaults that `call` has.
void add_packed_options(CLI::App& app, PackedCall& call);

}  // namespace lowbit::app
