// The shell-style config file: assignments, read by this parser and never executed.
//
//   # a comment
//   dataset='cifar100'; root=$FASTDIR/data
//   keyword="cbsa,origin,fix"
//   options="$options --lr 1e-2 --lr_policy cos"
//
// A value consists of adjacent pieces: bare text, 'literal', "with $name", ${name} and
// ${name:-default} (also -, := and =), \c, ~/ at its start. Quoted pieces may span lines; a
// backslash at the end of a line joins it with the next. `export name=value`, name+=value and
// several assignments on a line, separated by blanks or `;`, are read as a shell would. What a
// shell would execute is an error.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lowbit/config/argument.h"

namespace lowbit::config {

// A variable that stands for an option.
struct RecognizedName {
  const char* name;
  const char* option;
  const char* default_value;  // of config files; null: the option's own
};
// In the order in which they are given to the program. Beside them `options` holds further words.
std::span<const RecognizedName> recognized_names();

// The value of an environment variable, nothing if it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment process_environment();

struct ConfigFile {
  std::string name;                        // as errors and sources call it
  std::map<std::string, Argument> values;  // of the variables, after the last line
  std::vector<std::string> warnings;  // a variable that nothing reads but is nearly a known name
};

// $name takes the value of an earlier line, else of the environment; FASTDIR is then /workspace and
// `options` empty, any other name is a usage error, as is everything that is no assignment: with
// file and line.
ConfigFile parse_config(std::string_view content, std::string_view name,
                        const Environment& environment);

// The same from a file. No such file: a usage error with the nearest name in its folder.
ConfigFile read_config(const std::filesystem::path& path, const Environment& environment);

// The command line that the file stands for: one option with its value per recognized name (dataset
// root model base epochs train_batch val_batch case keyword pretrained), then the words of
// `options`. A name that is missing or empty gets the default of config files, source "default":
// dataset imagenet, base 1, train_batch 20, val_batch 20, case fake, keyword ",", epochs 0; root,
// model and pretrained then keep those of the options. Quotes within `options` hold a word with
// blanks together: options="$options --log_dir 'a folder'".
std::vector<Argument> arguments_of(const ConfigFile& file);

// `text` as a word of `options`, in quotes if it needs them; nothing if it cannot be one.
std::optional<std::string> option_word(std::string_view text);

}  // namespace lowbit::config
