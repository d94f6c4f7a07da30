// Compressed files and archives, read into memory: nothing is extracted to disk.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>

namespace lowbit::data {

// The members of a tar file (plain or compressed) that have one of these base names, by that name;
// those that it lacks are left out. An Error (failure) naming the archive if it is damaged or a
// wanted member is longer than `limit` bytes.
std::map<std::string, std::string> read_members(const std::filesystem::path& archive,
                                                std::span<const std::string> base_names,
                                                size_t limit);

// The content of a gzip'ed file, or of a file that is not. An Error (failure) naming it if it
// cannot be read, is damaged, or holds more than `limit` bytes.
std::string read_unpacked(const std::filesystem::path& path, size_t limit);

}  // namespace lowbit::data
