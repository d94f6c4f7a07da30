#include "lowbit/core/file_lock.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "lowbit/core/error.h"
#include "lowbit/core/log.h"

namespace lowbit::core {
namespace {

// What a holder wrote: its number; empty if it has not come to it yet.
std::string holder(int file) {
  char digits[32] = {};
  const ssize_t size = ::pread(file, digits, sizeof digits - 1, 0);
  std::string text(digits, static_cast<size_t>(size > 0 ? size : 0));
  return text.substr(0, text.find_first_not_of("0123456789"));
}

// Whether `path` still names the open file.
bool is_still(int file, const std::filesystem::path& path) {
  struct stat open = {}, named = {};
  return ::fstat(file, &open) == 0 && ::stat(path.c_str(), &named) == 0 &&
         open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

}  // namespace

FileLock::FileLock(std::filesystem::path path, const std::string& what, IfHeld if_held)
    : path_(std::move(path)) {
  do {
    file_ = std::make_unique<Descriptor>(path_, O_RDWR | O_CREAT);
    if (file_->get() < 0)
      throw failure("cannot write '{}': {}", path_.string(), std::strerror(errno));
  } while (!take(what, if_held));
}

bool FileLock::take(const std::string& what, IfHeld if_held) const {
  const int file = file_->get();
  if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return true;
    const std::string number = holder(file);
    const std::string who = number.empty() ? "another process" : "process " + number;
    if (if_held == IfHeld::fail) throw failure("{} is in use by {}", what, who);
    log().info("{} is in use by {}: waiting for it", what, who);
    while (::flock(file, LOCK_EX) != 0 && errno == EINTR) {
    }
  }
  if (!is_still(file, path_)) return false;
  // The number is a help for people alone: a full disk does not matter here.
  const std::string number = std::to_string(::getpid()) + "\n";
  if (::ftruncate(file, 0) == 0) [[maybe_unused]]
    const ssize_t written = ::pwrite(file, number.data(), number.size(), 0);
  return true;
}

FileLock::~FileLock() {
  // While it is locked: nobody else can have taken it.
  if (is_still(file_->get(), path_)) ::unlink(path_.c_str());
}

}  // namespace lowbit::core
