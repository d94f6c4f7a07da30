#include "lowbit/config/write_config.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "lowbit/config/option_table.h"
#include "lowbit/core/printable.h"

namespace lowbit::config {
namespace {

// In single quotes, as a shell reads them.
std::string in_quotes(std::string_view text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? "'\\''" : std::string(1, c);
  return result + "'";
}

// The arguments as options with their words, none for a flag.
std::vector<std::vector<std::string>> grouped(const std::vector<std::string>& arguments) {
  std::vector<std::vector<std::string>> result;
  size_t words_left = 0;
  for (const std::string& argument : arguments) {
    if (words_left == 0) {
      const auto row = std::ranges::find_if(
          all_options(), [&](const Option& option) { return option.name() == argument; });
      const bool option = row != all_options().end();
      if (option || result.empty()) {
        result.push_back({argument});
        words_left = option && row->arity == Arity::one ? 1 : 0;
        continue;
      }
    } else {
      --words_left;
    }
    result.back().push_back(argument);
  }
  return result;
}

bool of_one_call(const std::string& option) {
  return option == "--resume" || option == "--evaluate" || option == "--dry-run";
}

// The words as `options` holds them, each behind a blank; nothing if it cannot hold one of them.
std::optional<std::string> as_options(const std::vector<std::string>& words) {
  std::string result;
  for (const std::string& word : words) {
    const std::optional<std::string> written = option_word(word);
    if (!written) return {};
    result += " " + *written;
  }
  return result;
}

}  // namespace

std::string config_text(const Configuration& configuration) {
  std::map<std::string, std::string> value_of;
  for (const Setting& setting : configuration.settings) value_of[setting.name] = setting.value;

  std::string text = "# Written by lowbit train; `lowbit train THIS_FILE` runs it again.\n";
  std::vector<std::string> named;
  for (const RecognizedName& row : recognized_names()) {
    named.emplace_back(row.option);
    const std::string& value = value_of[row.option];
    // A file without the name means the file's own default, which need not be the option's.
    const bool empty = value.empty() || is_none(value);
    if (!empty)
      text += fmt::format("{}={}\n", row.name, in_quotes(value));
    else if (row.default_value)
      text += fmt::format("{}={}\n", row.name, in_quotes(row.default_value));
  }
  std::string options;
  for (const std::vector<std::string>& words : grouped(configuration.arguments)) {
    const std::string& name = words.front();
    if (of_one_call(name) || std::ranges::count(named, name)) continue;
    if (const auto written = as_options(words))
      options += fmt::format("options=\"$options\"{}\n", in_quotes(*written));
    else
      text += fmt::format("# a config file cannot say this, it has blanks and both quotes: {}\n",
                          core::printable(join(words, " ")));
  }
  return text + options;
}

}  // namespace lowbit::config
