#include "lowbit/config/argument.h"

#include <algorithm>

namespace lowbit::config {

int Argument::line(size_t offset) const {
  return lines.empty() ? 0 : lines[std::min(offset, lines.size() - 1)];
}

std::string Argument::place(size_t offset) const {
  return lines.empty() ? source : fmt::format("{}:{}", source, line(offset));
}

Argument Argument::slice(size_t begin, size_t end) const {
  Argument piece = argument(text.substr(begin, end - begin), source);
  if (!lines.empty())
    piece.lines.assign(lines.begin() + static_cast<std::ptrdiff_t>(begin),
                       lines.begin() + static_cast<std::ptrdiff_t>(end));
  return piece;
}

core::Error at(core::Error error, const Argument& where, size_t offset) {
  return error.at(where.source, where.line(offset));
}

std::vector<Argument> split(const Argument& whole, std::string_view separators) {
  std::vector<Argument> pieces;
  size_t end = 0;
  while (true) {
    const size_t begin = whole.text.find_first_not_of(separators, end);
    if (begin == std::string::npos) return pieces;
    end = std::min(whole.text.find_first_of(separators, begin), whole.text.size());
    pieces.push_back(whole.slice(begin, end));
  }
}

}  // namespace lowbit::config
