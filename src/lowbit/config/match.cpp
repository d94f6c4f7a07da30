#include "lowbit/config/match.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "lowbit/config/option_table.h"

namespace lowbit::config {
namespace {

bool is_number(const std::string& text) {
  char* end = nullptr;
  std::strtod(text.c_str(), &end);
  return !text.empty() && *end == '\0';
}

// What goes on an option with many values: a file name behind them does not.
bool is_list_of_numbers(const std::string& text) {
  return text.find_first_not_of("0123456789, ") == std::string::npos;
}

// `-1` and `-.5,0` are values.
bool looks_like_option(const std::string& text) {
  return text.size() > 1 && text[0] == '-' && text[1] != '.' &&
         !std::isdigit(static_cast<unsigned char>(text[1]));
}

core::Error unknown_option(const Argument& word, const std::string& name) {
  // Names of one letter are near to everything: only long ones are suggested, for `-lr` too.
  std::vector<std::string> names;
  for (const Option& option : all_options())
    std::copy_if(option.names.begin(), option.names.end(), std::back_inserter(names),
                 [](const std::string& each) { return each[1] == '-'; });
  const std::string wanted = name[1] == '-' ? name : "-" + name;
  core::Error error = core::usage_error("unknown option '{}'", name);
  return at(error.suggest(core::nearest_name(wanted, names)), word);
}

// The one option whose long name begins so, as Python's argparse completes names; nullptr if there
// is none. A usage error if there are several.
const Option* complete(const Argument& word, const std::string& name) {
  const Option* found = nullptr;
  std::vector<std::string> names;
  for (const Option& option : all_options())
    for (const std::string& each : option.names)
      if (name.size() > 2 && each.starts_with(name)) {
        if (found != &option) names.push_back(each);
        found = &option;
      }
  if (names.size() > 1)
    throw at(core::usage_error("option '{}' is ambiguous: {}", name, join(names, ", ")), word);
  return found;
}

// An option word taken apart: its row, and the value that is attached to it (`--lr=1`, `-j2`).
struct OptionWord {
  const Option* option;
  std::optional<Argument> attached;
};

OptionWord take_apart(const Argument& word) {
  const std::string& text = word.text;
  if (const Option* option = find_option(text)) return {option, std::nullopt};
  if (text[1] != '-') {
    if (const Option* option = find_option(text.substr(0, 2)))
      return {option, word.slice(2, text.size())};
    throw unknown_option(word, text);
  }
  const size_t sign = std::min(text.find('='), text.size());
  const std::string name = text.substr(0, sign);
  const Option* option = find_option(name);
  if (option == nullptr) option = complete(word, name);
  if (option == nullptr) throw unknown_option(word, name);
  if (sign == text.size()) return {option, std::nullopt};
  return {option, word.slice(sign + 1, text.size())};
}

class Matcher {
 public:
  // strays: takes the places of words that are neither option nor value; null: such a word is an
  // error.
  Matcher(std::span<const Argument> words, GivenOptions& given,
          std::vector<size_t>* strays = nullptr)
      : words_(words), given_(given), strays_(strays) {}

  void run() {
    while (position_ < words_.size()) {
      const Argument& word = words_[position_++];
      if (strays_ && !looks_like_option(word.text)) {
        strays_->push_back(position_ - 1);
        continue;
      }
      if (!looks_like_option(word.text))
        throw at(core::usage_error("unexpected '{}': an option begins with '-'", word.text), word);
      OptionWord parts = take_apart(word);
      if (parts.option->arity == Arity::none)
        flag(word, parts);
      else
        valued(word, std::move(parts));
    }
  }

 private:
  void flag(const Argument& word, const OptionWord& parts) {
    if (parts.attached)
      throw at(core::usage_error("option '{}' takes no value", parts.option->name()), word);
    const bool stands_for_other = !parts.option->stands_for.empty();
    const Option* option = stands_for_other ? find_option(parts.option->stands_for) : parts.option;
    Argument value = word;
    value.text = stands_for_other ? parts.option->stands_for_value : "true";
    value.lines.assign(word.lines.empty() ? 0 : value.text.size(), word.line());
    given_.insert_or_assign(option->name(), Given{option, word, {std::move(value)}});
  }

  void valued(const Argument& word, OptionWord parts) {
    std::vector<Argument> values;
    if (parts.attached) values.push_back(std::move(*parts.attached));
    const bool takes_many = parts.option->arity == Arity::many;
    while (position_ < words_.size() && !looks_like_option(words_[position_].text) &&
           (values.empty() || (takes_many && is_list_of_numbers(words_[position_].text))))
      values.push_back(words_[position_++]);
    if (values.empty())
      throw at(core::usage_error("option '{}' needs a value: {}", parts.option->name(),
                                 parts.option->value),
               word);
    given_.insert_or_assign(parts.option->name(), Given{parts.option, word, std::move(values)});
  }

  std::span<const Argument> words_;
  GivenOptions& given_;
  std::vector<size_t>* strays_;
  size_t position_ = 0;
};

// The same number or the same word.
bool same_value(const std::string& a, const std::string& b) {
  if (is_number(a) && is_number(b))
    return std::strtod(a.c_str(), nullptr) == std::strtod(b.c_str(), nullptr);
  return a == b || (is_none(a) && is_none(b));
}

}  // namespace

bool changes_nothing(const Given& given) {
  return same_value(given.text(), given.option->default_value);
}

std::string Given::text() const {
  std::string result;
  for (const Argument& word : words) result += (result.empty() ? "" : " ") + word.text;
  return result;
}

const Option* find_option(const std::string& name) {
  static const std::map<std::string, const Option*> by_name = [] {
    std::map<std::string, const Option*> names;
    for (const Option& option : all_options())
      for (const std::string& each : option.names) names.emplace(each, &option);
    return names;
  }();
  const auto found = by_name.find(name);
  return found == by_name.end() ? nullptr : found->second;
}

void match(std::span<const Argument> words, GivenOptions& given) {
  Matcher(words, given).run();
}

std::vector<size_t> stray_words(std::span<const std::string> words) {
  std::vector<Argument> arguments;
  for (const std::string& word : words) arguments.push_back(argument(word, "command line"));
  GivenOptions given;
  std::vector<size_t> strays;
  Matcher(arguments, given, &strays).run();
  return strays;
}

std::vector<std::string> apply(const GivenOptions& given, Options& options) {
  std::vector<std::string> warnings;
  for (const auto& [name, each] : given) {
    const Option& option = *each.option;
    if (!option.without_effect.empty() && !changes_nothing(each)) {
      warnings.push_back(fmt::format("{}: option '{}' has no effect {}", each.name.place(), name,
                                     option.without_effect));
    } else if (option.set) {
      option.set(options, each.words);
    }
  }
  return warnings;
}

}  // namespace lowbit::config
