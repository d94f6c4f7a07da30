// A piece of the user's input that remembers where it stands.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lowbit/core/error.h"

namespace lowbit::config {

struct Argument {
  std::string text;
  std::string source;      // a file's name, or "command line", "default", ..
  std::vector<int> lines;  // of each character of text, from 1; empty: the source has no lines

  // Line of the character at `offset`, 0 if the source has none.
  int line(size_t offset = 0) const;
  // "FILE:LINE", or the source alone.
  std::string place(size_t offset = 0) const;
  // The characters [begin, end) with their lines.
  Argument slice(size_t begin, size_t end) const;
};

// An argument without lines.
inline Argument argument(std::string text, std::string source) {
  return {std::move(text), std::move(source), {}};
}

// The error with the place of the argument's character at `offset`.
core::Error at(core::Error error, const Argument& where, size_t offset = 0);

// Splits at every character of `separators`, drops empty pieces.
std::vector<Argument> split(const Argument& whole, std::string_view separators);

}  // namespace lowbit::config
