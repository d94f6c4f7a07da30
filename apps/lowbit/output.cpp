#include "output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

namespace lowbit::app {
namespace {

int lost = 0;  // errno of the first failure of standard output

bool write_to(std::FILE* file, std::string_view text) {
  return std::fwrite(text.data(), 1, text.size(), file) == text.size();
}

void write_error(std::string_view text) {
  write_to(stderr, text);
  std::fflush(stderr);
}

}  // namespace

OutputLost::OutputLost(int reason)
    : Error(core::failure("cannot write to standard output: {}", std::strerror(reason))),
      reader_left_(reason == EPIPE) {}

int OutputLost::status() const {
  return reader_left_ ? 128 + SIGPIPE : exit_status();
}

void print_lines(std::string_view text) {
  if (lost == 0 && !write_to(stdout, core::printable_lines(text))) lost = errno;
}

void print_log_line(std::string_view line) {
  if (lost != 0) return;
  if (write_to(stdout, core::printable(line) + "\n") && std::fflush(stdout) == 0) return;
  // Whoever closes it wants no log there.
  if (errno != EBADF) lost = errno;
}

void require_output() {
  if (lost != 0) throw OutputLost(lost);
}

void flush_output() {
  if (lost == 0 && std::fflush(stdout) != 0) lost = errno;
  require_output();
}

void complain_lines(std::string_view text) noexcept {
  write_error(core::printable_lines(text));
}

void draw_line(std::string_view line) noexcept {
  write_error("\r" + core::printable(line) + "\033[K");
}

void remove_line() noexcept {
  write_error("\r\033[K");
}

void prepare_output() {
  // Reading alone: what is written to an output that the caller has closed fails as before.
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(standard, F_GETFD) < 0) [[maybe_unused]]
      const int file = ::open("/dev/null", O_RDONLY);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

}  // namespace lowbit::app
