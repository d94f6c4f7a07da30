// What a file that should have been another one is, by its first bytes: for messages.
#pragma once

#include <optional>
#include <string_view>

namespace lowbit::core {

struct FileKind {
  std::string_view name;    // "a tar archive"
  std::string_view advice;  // "unpack it and name the file inside"; may be empty
  bool text = false;        // which no more is known of
};

// Enough of the beginning of a file for file_kind().
inline constexpr size_t file_kind_bytes = 4096;

// The kind of the file that begins with `start`; nothing for one that is not known.
std::optional<FileKind> file_kind(std::string_view start);

}  // namespace lowbit::core
