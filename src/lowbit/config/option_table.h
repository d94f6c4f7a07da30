// Builds the rows of an option table from the fields of a typed struct.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lowbit/config/interval.h"
#include "lowbit/config/option.h"

namespace lowbit::config {

// `option` may also be an attribute of a policy file: then without a dash at its start.
//
// The value of `option` as a number; a usage error that names option, value, range and place if it
// is none or out of range. "2.0" is an integer only where `float_spelling` says so.
int64_t parse_integer(const std::string& option, const Argument& value, const Range& range,
                      bool float_spelling = false);
uint64_t parse_seed(const std::string& option, const Argument& value);
double parse_number(const std::string& option, const Argument& value, const Range& range);

// A usage error for a value that is none of the names, with the nearest of them.
core::Error unknown_value(const std::string& option, const Argument& value,
                          const std::vector<std::string>& names);

// "none" stands for an empty text or list, in any case of letters.
bool is_none(std::string_view text);
std::string join(const std::vector<std::string>& words, std::string_view separator);

template <class T>
struct Choice {
  const char* name;
  T value;
};

template <class T>
std::vector<std::string> names_of(const std::vector<Choice<T>>& choices) {
  std::vector<std::string> names;
  for (const Choice<T>& choice : choices) names.emplace_back(choice.name);
  return names;
}

// Nothing if none has that name.
template <class T>
std::optional<T> value_of(const std::vector<Choice<T>>& choices, const std::string& name) {
  for (const Choice<T>& choice : choices)
    if (name == choice.name) return choice.value;
  return std::nullopt;
}

// Rows of one group whose fields are in one struct. `part` finds it: [](auto& o) -> auto& { return
// o.train; }
template <class Struct, class Part>
class OptionTable {
 public:
  using Names = std::vector<std::string>;
  using Words = std::vector<Argument>;

  OptionTable(std::string group, bool describes_model, Part part)
      : group_(std::move(group)), describes_model_(describes_model), part_(part) {}

  std::vector<Option> rows() && { return std::move(rows_); }

  Option& integer(Names names, int Struct::*field, Range range, std::string help) {
    return add(
        std::move(names), "INT", range.text(), std::move(help),
        [field, range](Struct& s, const std::string& name, const Words& words) {
          s.*field = static_cast<int>(parse_integer(name, words[0], within_int(range)));
        },
        [field](const Struct& s) { return std::to_string(s.*field); });
  }

  // An integer that may be written as a float (2.0), and may be absent.
  Option& whole_number(Names names, std::optional<int> Struct::*field, Range range,
                       std::string help) {
    return add(
        std::move(names), "INT", range.text(), std::move(help),
        [field, range](Struct& s, const std::string& name, const Words& words) {
          s.*field = static_cast<int>(parse_integer(name, words[0], within_int(range), true));
        },
        [field](const Struct& s) { return s.*field ? std::to_string(*(s.*field)) : "none"; });
  }

  Option& seed(Names names, uint64_t Struct::*field, std::string help) {
    return add(
        std::move(names), "INT", "0..2^64-1", std::move(help),
        [field](Struct& s, const std::string& name, const Words& words) {
          s.*field = parse_seed(name, words[0]);
        },
        [field](const Struct& s) { return std::to_string(s.*field); });
  }

  Option& number(Names names, double Struct::*field, Range range, std::string help) {
    return add(
        std::move(names), "NUMBER", range.text(), std::move(help),
        [field, range](Struct& s, const std::string& name, const Words& words) {
          s.*field = parse_number(name, words[0], range);
        },
        [field](const Struct& s) { return fmt::format("{}", s.*field); });
  }

  // A number that may be absent.
  Option& optional_number(Names names, std::optional<double> Struct::*field, Range range,
                          std::string help) {
    return add(
        std::move(names), "NUMBER", range.text(), std::move(help),
        [field, range](Struct& s, const std::string& name, const Words& words) {
          s.*field = is_none(words[0].text) ? std::nullopt
                                            : std::optional(parse_number(name, words[0], range));
        },
        [field](const Struct& s) { return s.*field ? fmt::format("{}", *(s.*field)) : "none"; });
  }

  Option& interval(Names names, Interval Struct::*field, std::string help) {
    return add(
        std::move(names), "STEPS|MINUTESm", "", std::move(help),
        [field](Struct& s, const std::string& name, const Words& words) {
          s.*field = parse_interval(name, words[0]);
        },
        [field](const Struct& s) { return interval_text(s.*field); });
  }

  // Three numbers, a comma between them.
  Option& triple(Names names, std::array<double, 3> Struct::*field, Range range, std::string help) {
    return add(
        std::move(names), "R,G,B", range.text(), std::move(help),
        [field, range](Struct& s, const std::string& name, const Words& words) {
          const Words parts = split(words[0], ",");
          if (parts.size() != 3)
            throw at(core::usage_error("option '{}': '{}' is not three numbers R,G,B", name,
                                       words[0].text),
                     words[0]);
          for (size_t i = 0; i < 3; ++i) (s.*field)[i] = parse_number(name, parts[i], range);
        },
        [field](const Struct& s) {
          return fmt::format("{},{},{}", (s.*field)[0], (s.*field)[1], (s.*field)[2]);
        });
  }

  // Integers that ascend, a comma between them.
  Option& ascending(Names names, std::vector<int> Struct::*field, Range range, std::string help) {
    return add(
        std::move(names), "INT,INT,..", range.text(), std::move(help),
        [field, range](Struct& s, const std::string& name, const Words& words) {
          std::vector<int> numbers;
          if (!is_none(words[0].text))
            for (const Argument& part : split(words[0], ","))
              numbers.push_back(static_cast<int>(parse_integer(name, part, within_int(range))));
          for (size_t i = 1; i < numbers.size(); ++i)
            if (numbers[i] <= numbers[i - 1])
              throw at(core::usage_error("option '{}': '{}' does not ascend", name, words[0].text),
                       words[0]);
          s.*field = std::move(numbers);
        },
        [field](const Struct& s) {
          return (s.*field).empty() ? "none" : fmt::format("{}", fmt::join(s.*field, ","));
        });
  }

  // Integers in any order, blanks or commas between them.
  Option& integers(Names names, std::vector<int> Struct::*field, Range range, std::string help) {
    Option& row = add(
        std::move(names), "INT ..", range.text(), std::move(help),
        [field, range](Struct& s, const std::string& name, const Words& words) {
          (s.*field).clear();
          for (const Argument& word : words)
            for (const Argument& part : split(word, " ,"))
              (s.*field).push_back(static_cast<int>(parse_integer(name, part, within_int(range))));
        },
        [field](const Struct& s) { return fmt::format("{}", fmt::join(s.*field, " ")); });
    row.arity = Arity::many;
    return row;
  }

  Option& words(Names names, std::vector<std::string> Struct::*field, std::string help) {
    return add(
        std::move(names), "TEXT,TEXT,..", "", std::move(help),
        [field](Struct& s, const std::string&, const Words& words) {
          (s.*field).clear();
          if (!is_none(words[0].text))
            for (const Argument& part : split(words[0], ",")) (s.*field).push_back(part.text);
        },
        [field](const Struct& s) { return (s.*field).empty() ? "none" : join(s.*field, ","); });
  }

  // Any text; "none" is the empty one.
  Option& text(Names names, std::string Struct::*field, std::string value, std::string help) {
    return add(
        std::move(names), std::move(value), "", std::move(help),
        [field](Struct& s, const std::string&, const Words& words) {
          s.*field = is_none(words[0].text) ? "" : words[0].text;
        },
        [field](const Struct& s) { return (s.*field).empty() ? "none" : s.*field; });
  }

  // Sets the field to `value`, which its default is not.
  Option& flag(Names names, bool Struct::*field, std::string help, bool value = true) {
    Option& row = add(
        std::move(names), "", "", std::move(help),
        [field, value](Struct& s, const std::string&, const Words& words) {
          s.*field = (words[0].text == "true") == value;
        },
        [field, value](const Struct& s) { return s.*field == value ? "true" : "false"; });
    row.arity = Arity::none;
    return row;
  }

  // One of some names.
  template <class T>
  Option& choice(Names names, T Struct::*field, std::vector<Choice<T>> choices, std::string help) {
    return add(
        std::move(names), join(names_of(choices), "|"), "", std::move(help),
        [field, choices](Struct& s, const std::string& name, const Words& words) {
          const std::optional<T> value = value_of(choices, words[0].text);
          if (!value) throw unknown_value(name, words[0], names_of(choices));
          s.*field = *value;
        },
        [field, choices](const Struct& s) -> std::string {
          for (const Choice<T>& c : choices)
            if (c.value == s.*field) return c.name;
          if constexpr (std::is_same_v<T, std::string>) return s.*field;
          return "";
        });
  }

  // A flag that is short for another option of this table with a value.
  Option& shorthand(Names names, std::string option, std::string value, std::string help) {
    Option& row = add_row(std::move(names), "", "", std::move(help));
    row.arity = Arity::none;
    row.stands_for = std::move(option);
    row.stands_for_value = std::move(value);
    return row;
  }

  // An option without a field: the parser looks at its words itself.
  Option& without_field(Names names, std::string value, std::string default_value,
                        std::string help) {
    Option& row = add_row(std::move(names), std::move(value), "", std::move(help));
    row.default_value = std::move(default_value);
    return row;
  }

 private:
  static Range within_int(Range range) {
    range.min = std::max<double>(range.min, std::numeric_limits<int>::min());
    range.max = std::min<double>(range.max, std::numeric_limits<int>::max());
    return range;
  }

  Option& add_row(Names names, std::string value, std::string range, std::string help) {
    Option row;
    row.names = std::move(names);
    row.group = group_;
    row.describes_model = describes_model_;
    row.value = std::move(value);
    row.range = std::move(range);
    row.help = std::move(help);
    rows_.push_back(std::move(row));
    return rows_.back();
  }

  template <class Set, class Show>
  Option& add(Names names, std::string value, std::string range, std::string help, Set set,
              Show show) {
    Option& row = add_row(std::move(names), std::move(value), std::move(range), std::move(help));
    row.set = [set, part = part_, name = row.name()](Options& options, const Words& words) {
      set(part(options), name, words);
    };
    row.show = [show, part = part_](const Options& options) { return show(part(options)); };
    row.default_value = row.show(Options());
    return row;
  }

  std::string group_;
  bool describes_model_;
  Part part_;
  std::vector<Option> rows_;
};

template <class Struct, class Part>
OptionTable<Struct, Part> option_table(std::string group, bool describes_model, Part part) {
  return {std::move(group), describes_model, part};
}

}  // namespace lowbit::config
