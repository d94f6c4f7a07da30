// The two outputs of the program. Nothing else in it writes there, so that text from files or
// arguments never acts on a terminal (core/printable.h) and output that is lost is never a success.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <type_traits>

#include "lowbit/core/error.h"
#include "lowbit/core/printable.h"

namespace lowbit::app {

// Standard output did not take what was printed.
class OutputLost : public core::Error {
 public:
  // reason: the errno of the first write that failed.
  explicit OutputLost(int reason);

  // The reader of a pipe has closed it, as `head` does: no fault, and no message.
  bool reader_left() const { return reader_left_; }
  // 1, or the one of a process that SIGPIPE ends.
  int status() const;

 private:
  bool reader_left_;
};

namespace output {

// An argument of print: every text is made printable.
template <class T>
decltype(auto) shown(const T& value) {
  if constexpr (std::is_convertible_v<const T&, std::string_view>)
    return core::printable(value);
  else
    return (value);
}

template <class... Shown>
std::string format(fmt::string_view format, const Shown&... arguments) {
  return fmt::vformat(format, fmt::make_format_args(arguments...));
}

}  // namespace output

// Work must not end with its display: what prints goes on if standard output takes no more, and
// flush_output says so in the end.

// To standard output: text whose line feeds the program itself has put there, such as tables and
// help.
void print_lines(std::string_view text);

// To standard output, as fmt::print; texts among the arguments are shown on one line.
template <class... Args>
void print(fmt::format_string<Args...> format, const Args&... args) {
  print_lines(output::format(format, output::shown(args)...));
}

// A line of the log, to standard output at once.
void print_log_line(std::string_view line);

// Throws OutputLost if anything printed is known to be lost: for work whose one result is what it
// prints.
void require_output();
// Writes out what was printed, then require_output().
void flush_output();

// To standard error: lines of the program, or as fmt::print. Never throws.
void complain_lines(std::string_view text) noexcept;
template <class... Args>
void complain(fmt::format_string<Args...> format, const Args&... args) {
  complain_lines(output::format(format, output::shown(args)...));
}

// A line on a terminal's standard error that the next one replaces, and its removal.
void draw_line(std::string_view line) noexcept;
void remove_line() noexcept;

// To be called first: the three standard files are open, so that no file of a run gets their
// numbers, and a write that fails is reported instead of ending the process by SIGPIPE or SIGXFSZ.
void prepare_output();

}  // namespace lowbit::app
