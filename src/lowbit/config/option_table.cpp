#include "lowbit/config/option_table.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "lowbit/core/number.h"

namespace lowbit::config {
namespace {

std::string_view without_plus(std::string_view text) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-' && text[1] != '+') text.remove_prefix(1);
  return text;
}

template <class T>
std::optional<T> whole_text_as(std::string_view text) {
  return core::number_of<T>(without_plus(text));
}

// An integer, however large.
bool is_integer(std::string_view text) {
  text = without_plus(text);
  if (text.size() > 1 && text[0] == '-') text.remove_prefix(1);
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::string described(const Range& range) {
  const std::string text = range.text();
  return text.empty() ? "" : fmt::format(" ({})", text);
}

// How errors call it: "option '--lr'", or the attribute "'bit'" of a policy file.
std::string subject(const std::string& name) {
  return fmt::format("{}'{}'", name.starts_with("-") ? "option " : "", name);
}

core::Error out_of_range(const std::string& option, const Argument& value, const Range& range) {
  return at(
      core::usage_error("{}: {} is out of range ({})", subject(option), value.text, range.text()),
      value);
}

}  // namespace

bool Range::contains(double value) const {
  return (above_min ? value > min : value >= min) && (below_max ? value < max : value <= max);
}

std::string Range::text() const {
  const bool has_min = std::isfinite(min), has_max = std::isfinite(max);
  if (has_min && has_max && !above_min && !below_max) return fmt::format("{}..{}", min, max);
  std::string result;
  if (has_min) result = fmt::format("{} {}", above_min ? ">" : ">=", min);
  if (has_max) result += fmt::format("{}{} {}", has_min ? ", " : "", below_max ? "<" : "<=", max);
  return result;
}

Range at_least(double min) {
  return {.min = min};
}
Range between(double min, double max) {
  return {.min = min, .max = max};
}

int64_t parse_integer(const std::string& option, const Argument& value, const Range& range,
                      bool float_spelling) {
  std::optional<int64_t> number = whole_text_as<int64_t>(value.text);
  if (!number && float_spelling) {
    const std::optional<double> real = whole_text_as<double>(value.text);
    if (real && std::abs(*real) < 1e15 && *real == std::floor(*real))
      number = static_cast<int64_t>(*real);
  }
  if (!number && !is_integer(value.text))
    throw at(core::usage_error("{}: '{}' is not an integer{}", subject(option), value.text,
                               described(range)),
             value);
  if (!number || !range.contains(static_cast<double>(*number)))
    throw out_of_range(option, value, range);
  return *number;
}

uint64_t parse_seed(const std::string& option, const Argument& value) {
  if (const std::optional<uint64_t> number = whole_text_as<uint64_t>(value.text)) return *number;
  throw at(core::usage_error("{}: '{}' is not an integer (0..2^64-1)", subject(option), value.text),
           value);
}

double parse_number(const std::string& option, const Argument& value, const Range& range) {
  const std::optional<double> number = whole_text_as<double>(value.text);
  if (!number || !std::isfinite(*number))
    throw at(core::usage_error("{}: '{}' is not a number{}", subject(option), value.text,
                               described(range)),
             value);
  if (!range.contains(*number)) throw out_of_range(option, value, range);
  return *number;
}

core::Error unknown_value(const std::string& option, const Argument& value,
                          const std::vector<std::string>& names) {
  return at(core::usage_error("{}: unknown value '{}'", subject(option), value.text)
                .suggest(core::nearest_name(value.text, names))
                .detail("Known values: " + join(names, " ")),
            value);
}

bool is_none(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower == "none" || lower.empty();
}

std::string join(const std::vector<std::string>& words, std::string_view separator) {
  return fmt::format("{}", fmt::join(words, separator));
}

const std::vector<Option>& all_options() {
  static const std::vector<Option> options = [] {
    std::vector<Option> all;
    for (const auto rows :
         {model_option_rows, quant_option_rows, data_option_rows, train_option_rows})
      for (Option& row : rows()) all.push_back(std::move(row));
    return all;
  }();
  return options;
}

}  // namespace lowbit::config
