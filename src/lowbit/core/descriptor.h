// An open file of the system that is closed whatever happens.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

namespace lowbit::core {

class Descriptor {
 public:
  // Negative, with errno set, if the system refuses. Never waits for the other end of a FIFO: to
  // write into one that no process reads is refused (ENXIO).
  Descriptor(const std::filesystem::path& path, int flags)
      : value_(::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0644)) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return value_; }

 private:
  int value_;
};

}  // namespace lowbit::core
