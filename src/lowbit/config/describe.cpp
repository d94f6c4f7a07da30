// What help and documentation say about the options: all of it from the tables.
#include <algorithm>

#include "lowbit/config/keyword.h"
#include "lowbit/config/option_table.h"
#include "lowbit/config/parse.h"

namespace lowbit::config {
namespace {

constexpr size_t kColumns = 100;
constexpr size_t kHelpColumn = 34;

// Breaks at blanks; every line but the first is indented.
std::string wrapped(std::string_view text, size_t first_column, size_t indent) {
  std::string result;
  size_t column = first_column;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    if (column > indent && column + 1 + word.size() > kColumns) {
      result += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (begin > 0) {
      result += ' ';
      ++column;
    }
    result += word;
    column += word.size();
    begin = end + 1;
  }
  return result;
}

// "  term    explanation", the explanation in a column of its own.
std::string entry(const std::string& term, const std::string& explanation) {
  std::string line = "  " + term;
  if (line.size() + 2 > kHelpColumn)
    line += "\n" + std::string(kHelpColumn, ' ');
  else
    line.resize(kHelpColumn, ' ');
  return line + wrapped(explanation, kHelpColumn, kHelpColumn) + "\n";
}

// The names that need no explanation.
std::string line_of(const char* title, const std::vector<std::string>& names) {
  if (names.empty()) return "";
  return "  " + wrapped(fmt::format("{}: {}", title, join(names, " ")), 2, 4) + "\n";
}
constexpr const char* kIdle = "Accepted, without effect";

// A long list of values stands in the explanation, where it can be broken into lines.
bool has_many_values(const Option& option) {
  return option.value.size() > 70;
}

std::string option_term(const Option& option) {
  const std::string value = has_many_values(option) ? "NAME" : option.value;
  return join(option.names, ", ") + (value.empty() ? "" : " " + value);
}

std::string option_explanation(const Option& option) {
  std::string text = option.help;
  if (has_many_values(option)) {
    std::string values = option.value;
    std::replace(values.begin(), values.end(), '|', ' ');
    text += ": " + values;
  }
  if (!option.range.empty()) text += fmt::format(" ({})", option.range);
  if (!option.without_effect.empty()) text += "; no effect " + option.without_effect;
  if (option.arity != Arity::none) text += fmt::format(" [{}]", option.default_value);
  return text;
}

std::string options_help() {
  std::string text, group;
  for (const Option& option : all_options()) {
    if (option.group != group) {
      text += (group.empty() ? "" : "\n") + option.group + "\n";
      group = option.group;
    }
    text += entry(option_term(option), option_explanation(option));
  }
  return text;
}

std::string keywords_help() {
  std::string text;
  for (const KeywordGroup& group : keyword_groups()) {
    text += fmt::format("\nKeywords: {}\n", group.title);
    std::vector<std::string> idle;
    for (const Keyword& keyword : group.keywords) {
      if (keyword.without_effect())
        idle.push_back(keyword.name);
      else
        text += entry(keyword.name, keyword.help);
    }
    text += line_of(kIdle, idle);
  }
  return text;
}

// A cell of a Markdown table: `|` would end it.
std::string cell(std::string text) {
  for (size_t i = text.find('|'); i != std::string::npos; i = text.find('|', i + 2))
    text.insert(i, "\\");
  return text;
}

std::string code(const std::string& text) {
  return text.empty() ? "" : "`" + text + "`";
}

std::string markdown_row(const Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.names) names.push_back(code(name));
  std::string help = option.help;
  if (!option.without_effect.empty()) help += " (no effect " + option.without_effect + ")";
  const std::string default_value = option.arity == Arity::none ? "" : option.default_value;
  return fmt::format("| {} | {} | {} | {} | {} |\n", join(names, ", "), cell(code(option.value)),
                     cell(default_value), option.range, cell(help));
}

std::string options_tables() {
  std::string text, group;
  for (const Option& option : all_options()) {
    if (option.group != group) {
      group = option.group;
      text += fmt::format(
          "\n## {}\n\n| option | value | default | range | meaning |\n|---|---|---|---|---|\n",
          group);
    }
    text += markdown_row(option);
  }
  return text;
}

std::string keyword_row(const Keyword& keyword) {
  std::string help = keyword.help;
  if (!keyword.needs.empty()) help += "; needs " + join(keyword.needs, " or ");
  if (keyword.without_effect()) help += " (accepted, without effect)";
  return fmt::format("| {} | {} |\n", code(keyword.name), cell(help));
}

std::string keyword_tables() {
  std::string text = "\n## Keywords\n\nWords of `--keyword`, a comma between them.\n";
  for (const KeywordGroup& group : keyword_groups()) {
    text += fmt::format("\n### {}\n\n", group.title);
    if (group.one_of) text += "Of several words the first of this table counts.\n\n";
    text += "| keyword | meaning |\n|---|---|\n";
    for (const Keyword& keyword : group.keywords) text += keyword_row(keyword);
  }
  return text;
}

std::string config_names_table() {
  std::string text = "\n| name | option | default |\n|---|---|---|\n";
  for (const RecognizedName& row : recognized_names())
    text += fmt::format("| {} | {} | {} |\n", code(row.name), code(row.option),
                        row.default_value ? row.default_value : "that of the option");
  return text + "| `options` | any, as on a command line | |\n";
}

constexpr const char* kPolicy = R"(
## Policy files

What `--policy FILE` names sets attributes of single quantizers: bits by layer, changes while training.

    # from the start
    on init :
      by_index: 0 1 2
      by_tag: fm wt
      bit: 4
    # before epochs 10 and 20
    on epoch : 10 20
      by_tag: wt
      progressive: True
      level_num: -1

Sections: `on init :` after the network is built, `on epoch : 10 20` before the training of those epochs
(from 0); `on norm :` and `on eltwise :` are read, but norms and sums of branches are not quantized. A
section holds blocks: selectors, then attributes; a selector behind an attribute opens the next block.
`by_index: all` or `0 1 2`: layers that can be quantized, in the order of checkpoints; `by_tag: fm wt
ot`; a selector that is missing means all. An epoch's new quantizers keep what the old ones have learned
where it still fits. A checkpoint holds the policy's text.

| attribute | value | meaning |
|---|---|---|
)";

std::string policy_table() {
  std::string text = kPolicy;
  for (const AttributeText& row : policy_attributes())
    text += fmt::format("| {} | {} | {} |\n", row.names, cell(code(row.values)), row.help);
  return text;
}

constexpr const char* kIntroduction = R"(# Options

Written by the program from its tables of options; a test keeps it current. `lowbit train -h` shows
the same.

An option is given in the config file (`options="$options --lr 0.1"`) or on the command line, which
wins. `--lr 0.1`, `--lr=0.1` and, for one-letter names, `-j2` are the same thing said in three ways. A
comma stands between the entries of a list; `none` is the empty one.

## Config files

A config file holds assignments as a shell would read them; it is never executed.

    # a comment
    dataset='cifar100'; root=$FASTDIR/data
    keyword="cbsa,origin,fix"
    options="$options --lr 1e-2 --lr_policy cos"
)";

constexpr const char* kShell = R"(
Other names are variables: `$name` and `${name}` take the value of an earlier line, else of the
environment; `${name:-default}` says what holds without one. `FASTDIR` is `/workspace` unless set. Read
as a shell does: single and double quotes, also over several lines; adjacent pieces; `\` before a
character or at the end of a line; several assignments on a line; `export name=value`; `name+=value`;
`~/`. A command, `$(..)` or an unset variable is an error with file and line.
)";

}  // namespace

std::string help_text() {
  return options_help() + keywords_help();
}

std::string options_markdown() {
  return kIntroduction + config_names_table() + kShell + options_tables() + keyword_tables() +
         policy_table();
}

}  // namespace lowbit::config
