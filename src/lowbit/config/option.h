// One command-line option as a row of a table: its names, what it takes, where its value goes, what
// help says about it. Everything that knows options reads these rows: the parser, the error for an
// unknown name, --help, docs/options.md and the dump of the effective configuration.
#pragma once

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "lowbit/config/argument.h"
#include "lowbit/config/options.h"

namespace lowbit::config {

// The numbers an option accepts.
struct Range {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  bool above_min = false, below_max = false;  // the bound itself is excluded

  bool contains(double value) const;
  // "1..8", ">= 0", "> 0, < 1"; empty if every number is accepted.
  std::string text() const;
};
inline constexpr Range kAny{};
inline constexpr Range kNotNegative{.min = 0};
inline constexpr Range kPositive{.min = 0, .above_min = true};
Range at_least(double min);
Range between(double min, double max);

enum class Arity {
  none,  // a flag
  one,
  many,  // all words up to the next option
};

struct Option {
  std::vector<std::string> names;  // "--weight_decay", "--wd": errors and dumps use the first
  std::string group;               // heading of the help
  Arity arity = Arity::one;
  std::string value;          // what stands for the value in the help: "INT", "cpu|cuda|auto"
  std::string range;          // as help shows it, may be empty
  std::string default_value;  // as help shows it
  std::string help;
  bool describes_model = false;  // part of the network, not of its training or data
  bool may_differ = false;       // between the processes that train one network

  // Non-empty: accepted with a warning that says this.
  std::string without_effect;
  // Why a value other than the default has no effect beside the other options: "without '--fp16'",
  // or ": " and a sentence; "" where it has. Called when everything is resolved. Null: it always
  // has.
  std::function<std::string(const Options&)> idle;
  // Non-empty: a flag that is short for another option with a value.
  std::string stands_for, stands_for_value;

  // Puts the words after the option ("true" or "false" for a flag) into their field; a usage error
  // otherwise. Null where no field exists.
  std::function<void(Options&, const std::vector<Argument>&)> set;
  // The field's value as text that `set` accepts. Null where no field exists.
  std::function<std::string(const Options&)> show;

  const std::string& name() const { return names.front(); }
};

// All rows, in the order of the help.
const std::vector<Option>& all_options();

// The tables, each beside its typed struct.
std::vector<Option> model_option_rows();
std::vector<Option> quant_option_rows();
std::vector<Option> data_option_rows();
std::vector<Option> train_option_rows();

}  // namespace lowbit::config
