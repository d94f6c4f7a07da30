// From a config file and a command line to typed options: the one entry of this folder.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lowbit/config/config_file.h"
#include "lowbit/config/options.h"

namespace lowbit::config {

// One line of the effective configuration.
struct Setting {
  std::string name;   // "--lr"
  std::string value;  // "0.1"; a flag's is "true" or "false"
  std::string
      source;  // "default", "FILE:LINE", "command line", "keyword cifar100", "data set fashion"

  bool operator==(const Setting&) const = default;
};

struct Configuration {
  Options options;
  std::vector<Setting> settings;      // every option, in the order of the help
  std::vector<std::string> warnings;  // one line each, with the place: what has no effect, and why
  std::vector<std::string>
      arguments;  // a command line that gives the same options without a config file

  // Where neither an option nor a keyword gives the number of classes and the data set is a folder
  // of any pictures (imagenet, dali), it becomes `classes`, at least 2, from `source`.
  void use_classes(int classes, const std::string& source);

  // The arguments and the text of the policy file, for a checkpoint.
  std::string to_json() const;
  // The configuration of a checkpoint, changed by `command_line`. What follows from the data set
  // (classes, input size, normalization, stem) stays that of the checkpoint unless given here. An
  // Error (failure) if the text is none that to_json wrote.
  static Configuration from_json(std::string_view json,
                                 std::span<const std::string> command_line = {});
};

// The settings that the processes which train one network must have alike, and the text of the
// policy file as one of them.
std::vector<Setting> common_settings(const Configuration& configuration);

// A run: the options of the file, if there is one, then those of the command line (without program,
// verb and file), which win. DELAY in the environment is --delay. With --dry-run what is not built
// is a warning, and so is a policy file that is missing. Every error is a usage error with its
// place; training.md calls it wrong use.
Configuration parse_run(const std::optional<std::filesystem::path>& config_file,
                        std::span<const std::string> command_line,
                        const Environment& environment = process_environment());

// A network, where nothing is trained: what concerns only training or data may also be something
// that is not built (it is passed over), and need not fit the data set.
Configuration parse_network(const std::optional<std::filesystem::path>& config_file,
                            std::span<const std::string> command_line,
                            const Environment& environment = process_environment());

// The same without a file.
Configuration parse_options(std::span<const std::string> command_line);

// The values given, into `defaults`, for what needs neither a network nor a run: nothing is
// resolved and nothing need be built. Usage errors for unknown options and keywords and for wrong
// values.
Options parse_values(std::span<const std::string> command_line, Options defaults = {});

// Every option with its value, range and default, and every keyword: for a terminal of 100 columns.
std::string help_text();

// The same as docs/options.md.
std::string options_markdown();

}  // namespace lowbit::config
