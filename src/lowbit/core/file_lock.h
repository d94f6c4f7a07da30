// Keeps two processes from writing the same files.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "lowbit/core/descriptor.h"

namespace lowbit::core {

enum class IfHeld { fail, wait };

// Holds a lock, as long as it lives, by a file that says which process has it. The system takes the
// lock back when the process ends, however it ends; what is left of the file then means nothing.
class FileLock {
 public:
  // If another process holds the lock: an Error (failure) naming `what` and that process, or waits
  // until it ends, which the log then says. An Error (failure) naming the file if it cannot be
  // written. A file system that knows no locks gives one that excludes nobody.
  FileLock(std::filesystem::path path, const std::string& what, IfHeld if_held = IfHeld::fail);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  // False if the process that had the lock removed the file after this one had opened it.
  bool take(const std::string& what, IfHeld if_held) const;

  std::filesystem::path path_;
  std::unique_ptr<Descriptor> file_;
};

}  // namespace lowbit::core
