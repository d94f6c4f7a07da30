#include "lowbit/checkpoint/name_lists.h"

#include <algorithm>
#include <sstream>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/core/number.h"

namespace lowbit::checkpoint {
namespace {

core::Error no_order(std::string_view text) {
  return core::usage_error(
      "'{}' is no order of lines: 3/1-0-2 means the lines 1, 0, 2 of every three", text);
}

size_t read_number(std::string_view text, std::string_view whole) {
  const std::optional<size_t> number = core::number_of<size_t>(text);
  if (!number) throw no_order(whole);
  return *number;
}

}  // namespace

std::vector<std::string> read_names(const std::filesystem::path& path) {
  std::vector<std::string> names;
  std::istringstream lines(core::read_file(path));
  for (std::string line; std::getline(lines, line);) {
    line.erase(line.find_last_not_of(" \t\r") + 1);
    if (const size_t begin = line.find_first_not_of(" \t");
        begin != std::string::npos && line[begin] != '#')
      names.push_back(std::move(line));
  }
  return names;
}

SwapOrder read_swap_order(std::string_view text) {
  const size_t slash = std::min(text.find('/'), text.size());
  SwapOrder order;
  for (size_t begin = slash + 1; begin <= text.size();) {
    const size_t end = std::min(text.find('-', begin), text.size());
    order.places.push_back(read_number(text.substr(begin, end - begin), text));
    begin = end + 1;
  }
  std::vector<size_t> ascending = order.places;
  std::ranges::sort(ascending);
  for (size_t i = 0; i < ascending.size(); ++i)
    if (ascending[i] != i) throw no_order(text);
  if (order.places.empty() || read_number(text.substr(0, slash), text) != order.places.size())
    throw no_order(text);
  return order;
}

std::vector<std::string> swapped(const std::vector<std::string>& names, const SwapOrder& order) {
  const size_t size = order.places.size();
  if (names.size() % size != 0)
    throw core::usage_error("{} names are no multiple of {}", names.size(), size);
  std::vector<std::string> result;
  for (size_t first = 0; first < names.size(); first += size)
    for (const size_t place : order.places) result.push_back(names[first + place]);
  return result;
}

std::vector<std::string> sorted(std::vector<std::string> names) {
  std::ranges::sort(names);
  return names;
}

void write_names(const std::filesystem::path& path, const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += name + "\n";
  core::replace_file(path, text);
}

}  // namespace lowbit::checkpoint
