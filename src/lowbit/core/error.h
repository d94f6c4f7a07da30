// The one exception of the project: what went wrong, where in the user's input, and what was
// probably meant.
#pragma once

#include <fmt/format.h>

#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lowbit::core {

enum class ErrorKind {
  usage,    // the call or an input file is wrong: exit status 2
  failure,  // the call was right, but what it asked for did not succeed: exit status 1
};

// The library throws it and never prints; apps/lowbit/main.cpp prints it and picks the exit status.
class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message);

  // The place in the user's file; line 0 names the file alone. The first place given stays: the
  // code nearest to the fault knows it best.
  Error& at(std::string_view file, int line = 0);
  // The valid name nearest to the wrong one; nothing if empty.
  Error& suggest(std::string_view nearest);
  // A further line, printed below the earlier ones; printable as what() is.
  Error& detail(std::string_view line);

  // "FILE:LINE: MESSAGE; did you mean 'NEAREST'?": one line, printable whatever the names in it.
  const char* what() const noexcept override { return line_.c_str(); }
  // The further lines, a line feed between them.
  const std::string& details() const { return details_; }
  ErrorKind kind() const { return kind_; }
  int exit_status() const { return kind_ == ErrorKind::usage ? 2 : 1; }

 private:
  void compose();

  ErrorKind kind_;
  std::string message_, place_, nearest_, details_, line_;
};

template <class... Args>
Error usage_error(fmt::format_string<Args...> format, Args&&... args) {
  return {ErrorKind::usage, fmt::format(format, std::forward<Args>(args)...)};
}

template <class... Args>
Error failure(fmt::format_string<Args...> format, Args&&... args) {
  return {ErrorKind::failure, fmt::format(format, std::forward<Args>(args)...)};
}

// Number of single-character edits (insert, delete, replace, swap of neighbors) between two names.
size_t edit_distance(std::string_view a, std::string_view b);

// The candidate nearest to `name` (case ignored), or "" if none is near enough to be meant: at most
// a third of the letters may differ.
std::string nearest_name(std::string_view name, std::span<const std::string> candidates);

}  // namespace lowbit::core
