#include "lowbit/checkpoint/tools.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_set>

#include "lowbit/checkpoint/checkpoint_file.h"
#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/core/printable.h"

namespace lowbit::checkpoint {
namespace fs = std::filesystem;
namespace {

// --- mapping files ---

struct Line {
  std::string text;
  int number;
};

// Without its comment, quotes and blanks; nothing for a line that holds no more. Quotes around
// nothing are the empty prefix.
std::optional<std::string> essence(std::string_view line) {
  std::string text(line.substr(0, line.find('#')));
  std::erase_if(text,
                [](char c) { return std::string_view(" \t\r").find(c) != std::string::npos; });
  if (text.empty()) return {};
  std::erase_if(text, [](char c) { return c == '"' || c == '\''; });
  return text;
}

// "a{b,c}d" -> "abd", "acd"; of several braces, the last runs fastest.
std::vector<std::string> expand_braces(const std::string& text) {
  const size_t open = text.find('{');
  const size_t close = text.find('}');
  if (open == std::string::npos && close == std::string::npos) return {text};
  if (open == std::string::npos || close == std::string::npos || close < open ||
      text.find('{', open + 1) < close)
    throw core::usage_error("the braces of '{}' do not match", text);
  std::vector<std::string> expanded;
  const std::vector<std::string> tails = expand_braces(text.substr(close + 1));
  for (size_t begin = open + 1; begin <= close;) {
    const size_t end = std::min(text.find(',', begin), close);
    for (const std::string& tail : tails)
      expanded.push_back(text.substr(0, open) + text.substr(begin, end - begin) + tail);
    begin = end + 1;
  }
  return expanded;
}

std::vector<Line> read_prefixes(const fs::path& path) {
  const std::string content = core::read_file(path);
  std::vector<Line> prefixes;
  int number = 0;
  for (size_t begin = 0; begin < content.size();) {
    const size_t end = std::min(content.find('\n', begin), content.size());
    const auto text = essence(std::string_view(content).substr(begin, end - begin));
    begin = end + 1;
    ++number;
    if (!text) continue;
    try {
      for (std::string& prefix : expand_braces(*text))
        prefixes.push_back({std::move(prefix), number});
    } catch (core::Error& error) {
      error.at(path.string(), number);
      throw;
    }
  }
  return prefixes;
}

// --- renaming ---

// The longest of the dotted beginnings of `name`, itself included, that is in the mapping, with
// the dot behind it or without.
std::optional<std::string_view> longest_prefix(
    std::string_view name, const std::map<std::string, std::string, std::less<>>& mapping) {
  for (size_t end = name.size(); end != std::string_view::npos && end > 0;
       end = name.rfind('.', end - 1)) {
    for (const std::string_view prefix : {name.substr(0, end + 1), name.substr(0, end)})
      if (mapping.contains(prefix)) return prefix;
  }
  return {};
}

// `name` with another beginning; where that is empty, without the dot behind it.
std::string with_prefix(const std::string& replacement, std::string_view rest) {
  if (replacement.empty() && rest.starts_with('.')) rest.remove_prefix(1);
  return replacement + std::string(rest);
}

void refuse_collisions(const NamedTensors& before, const NamedTensors& after) {
  std::map<std::string_view, size_t> places;
  for (size_t i = 0; i < after.size(); ++i) {
    const auto [other, added] = places.emplace(after[i].first, i);
    if (!added)
      throw core::usage_error("'{}' and '{}' would both be called '{}'",
                              before[other->second].first, before[i].first, after[i].first);
  }
}

// --- what can be written again ---

bool writable(const Value& value, std::unordered_set<const Value::Content*>& known) {
  if (!known.insert(&value.content()).second) return true;
  const auto all = [&](const List& items) {
    return std::ranges::all_of(items, [&](const Value& item) { return writable(item, known); });
  };
  if (value.get_if<Opaque>()) return false;
  if (const auto* list = value.get_if<List>()) return all(*list);
  if (const auto* tuple = value.get_if<Tuple>()) return all(tuple->items);
  if (const auto* dict = value.get_if<Dict>())
    return std::ranges::all_of(*dict, [&](const Dict::Entry& entry) {
      return writable(entry.first, known) && writable(entry.second, known);
    });
  return true;
}

bool writable(const Value& value) {
  std::unordered_set<const Value::Content*> known;
  return writable(value, known);
}

std::string text_of(const Value& value);

std::string key_text(const Value& key) {
  const auto* name = key.get_if<std::string>();
  return name ? core::printable(*name) : text_of(key);
}

// The file as it was, but with `tensors` as its state dict.
Dict with_tensors(const Value& file, const NamedTensors& tensors, UpdateReport& report) {
  const Dict& state = unwrapped(file);
  for (const auto& [key, value] : state)
    if (!key.get_if<std::string>() || !value.get_if<torch::Tensor>())
      report.dropped.push_back(key_text(key));

  std::vector<Dict::Entry> entries = {{"state_dict", to_dict(tensors)}};
  const Dict* root = file.get_if<Dict>();
  if (!root || &state == root) return Dict(std::move(entries));
  for (const auto& [key, value] : *root) {
    const auto* name = key.get_if<std::string>();
    const bool around = value.get_if<Dict>() && &unwrapped(value) == &state;
    if (around || (name && *name == "state_dict")) continue;
    if (writable(key) && writable(value))
      entries.emplace_back(key, value);
    else
      report.dropped.push_back(key_text(key));
  }
  return Dict(std::move(entries));
}

// --- inspection ---

std::string shape_of(const torch::Tensor& tensor) {
  return fmt::format("[{}]", fmt::join(tensor.sizes(), ", "));
}

std::string values_of(const torch::Tensor& tensor) {
  const torch::Tensor flat = tensor.to(torch::kFloat64).contiguous();
  const double* values = flat.const_data_ptr<double>();
  return fmt::format("{:.6g}", fmt::join(values, values + flat.numel(), " "));
}

std::string text_of(const Value& value) {
  if (const auto* boolean = value.get_if<bool>()) return *boolean ? "True" : "False";
  if (const auto* integer = value.get_if<int64_t>()) return std::to_string(*integer);
  if (const auto* real = value.get_if<double>()) return fmt::format("{}", *real);
  if (const auto* text = value.get_if<std::string>())
    return fmt::format("'{}'", core::printable(*text));
  if (const auto* list = value.get_if<List>()) return fmt::format("a list of {}", list->size());
  if (const auto* dict = value.get_if<Dict>()) return fmt::format("a dict of {}", dict->size());
  return core::printable(value.kind());
}

std::vector<std::string_view> split(std::string_view list) {
  std::vector<std::string_view> parts;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    if (comma > 0) parts.push_back(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return parts;
}

std::string inspect_all(const Dict& entries) {
  std::string lines;
  for (const auto& [key, value] : entries) {
    const auto* tensor = value.get_if<torch::Tensor>();
    lines += tensor ? fmt::format("{} {} {}{}\n", key_text(key), shape_of(*tensor),
                                  c10::toString(tensor->scalar_type()),
                                  tensor->requires_grad() ? " requires_grad" : "")
                    : fmt::format("{} = {}\n", key_text(key), text_of(value));
  }
  return lines;
}

std::string inspect_quantizers(const Dict& entries, const std::vector<std::string_view>& wanted) {
  std::string lines;
  for (const auto& [key, value] : entries) {
    const std::string name = key_text(key);
    const std::string_view last = std::string_view(name).substr(name.rfind('.') + 1);
    const bool quantizer = name.find("quant_") != std::string::npos;
    if (!quantizer || std::ranges::find(wanted, last) == wanted.end()) continue;
    const auto* tensor = value.get_if<torch::Tensor>();
    lines += tensor ? fmt::format("{} {} = {}\n", name, shape_of(*tensor), values_of(*tensor))
                    : fmt::format("{} = {}\n", name, text_of(value));
  }
  return lines;
}

}  // namespace

NameMapping read_name_mapping(const fs::path& from, const fs::path& to) {
  const std::vector<Line> before = read_prefixes(from), after = read_prefixes(to);
  if (before.size() != after.size())
    throw core::usage_error(
        "'{}' names {} prefixes, '{}' {}: line i of the one becomes line i of "
        "the other",
        from.string(), before.size(), to.string(), after.size());
  NameMapping mapping;
  std::map<std::string_view, int> lines;
  for (size_t i = 0; i < before.size(); ++i) {
    if (before[i].text.empty())
      throw core::usage_error("an empty prefix is no prefix of a name")
          .at(from.string(), before[i].number);
    const auto [first, added] = lines.emplace(before[i].text, before[i].number);
    if (!added)
      throw core::usage_error("'{}' stands in line {}, too", before[i].text, first->second)
          .at(from.string(), before[i].number);
    mapping.emplace_back(before[i].text, after[i].text);
  }
  return mapping;
}

Renaming rename(const NamedTensors& tensors, const NameMapping& mapping) {
  const std::map<std::string, std::string, std::less<>> by_prefix(mapping.begin(), mapping.end());
  std::unordered_set<std::string_view> matched;
  Renaming renaming;
  for (const auto& [name, tensor] : tensors) {
    const std::optional<std::string_view> prefix = longest_prefix(name, by_prefix);
    if (prefix) matched.insert(by_prefix.find(*prefix)->first);
    std::string renamed =
        prefix ? with_prefix(by_prefix.find(*prefix)->second, name.substr(prefix->size())) : name;
    if (renamed.empty())
      throw core::usage_error("'{}' would have no name left: it is all of its prefix", name);
    renaming.tensors.emplace_back(std::move(renamed), tensor);
  }
  refuse_collisions(tensors, renaming.tensors);
  for (const auto& [prefix, replacement] : mapping)
    if (!matched.contains(prefix)) renaming.unmatched.push_back(prefix);
  return renaming;
}

UpdateReport update_names(const fs::path& old_file, const fs::path& new_file,
                          const NameMapping& mapping, bool raw) {
  const fs::path raw_file = new_file.string() + "-raw";
  core::require_writable(new_file, core::Special::written);
  if (raw) core::require_writable(raw_file, core::Special::written);
  const Value file = read_checkpoint(old_file);
  const StateDict read = read_state(file, old_file.string());
  const NamedTensors& tensors = read.tensors;
  Renaming renaming = rename(tensors, mapping);

  UpdateReport report;
  report.unmatched = std::move(renaming.unmatched);
  report.dropped = read.shadowed;
  for (size_t i = 0; i < tensors.size(); ++i)
    ++(tensors[i].first == renaming.tensors[i].first ? report.kept : report.renamed);
  write_checkpoint(new_file, with_tensors(file, renaming.tensors, report));
  report.written.push_back(new_file);
  if (raw) {
    write_checkpoint(raw_file, to_dict(renaming.tensors));
    report.written.push_back(raw_file);
  }
  return report;
}

std::string inspect(const Value& file, std::string_view verbose_list) {
  const Dict& entries = unwrapped(file);
  if (verbose_list == "all") return inspect_all(entries);
  return inspect_quantizers(entries, split(verbose_list));
}

}  // namespace lowbit::checkpoint
