// A file whose bytes stand in memory, where the system brings them as they are looked at.
#pragma once

#include <filesystem>
#include <string_view>

#include "lowbit/core/descriptor.h"

namespace lowbit::core {

class MappedFile {
 public:
  // An Error (failure) naming the path if that is no file that can be read.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  // As many as the file had when it was opened. Who writes to it or cuts it meanwhile changes them.
  std::string_view bytes() const { return bytes_; }

  // From here on it is read in no order: the system reads ahead only what bring() says.
  void expect_random_access() const;

  // Brings a part of bytes() into memory in one go. An Error (failure) if the disk cannot read it
  // or the file has become too short: to look at it then would end the process. (Linux before 5.14
  // cannot tell.)
  void bring(std::string_view part) const;

  // Takes all of it out of this process's memory; what is looked at again, the system brings again.
  void let_go() const;

 private:
  std::filesystem::path path_;
  Descriptor file_;
  std::string_view bytes_;
};

}  // namespace lowbit::core
