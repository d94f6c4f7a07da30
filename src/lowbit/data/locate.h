// Where a data set's files are.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lowbit::data {

// Under which names a data set is found.
struct Places {
  std::vector<std::string> usual;     // folders to look in where no root is given
  std::vector<std::string> folders;   // of the files, inside such a folder
  std::vector<std::string> archives;  // of the files, inside such a folder
};

// A folder with files, or an archive.
struct Location {
  std::filesystem::path path;
  bool is_archive;

  std::string name_of(const std::string& file) const { return (path / file).string(); }
};

// As locate, but nothing where that throws.
std::optional<Location> find_location(const Places& places, const std::string& root,
                                      std::span<const std::string> files);

// The first place that has one of `files` or of the archives: `root` itself or, if it is a folder,
// one of the named ones in it; for an empty root, the same in each of the usual ones. An Error
// (failure) that says what was looked for and where otherwise.
Location locate(const Places& places, const std::string& root, std::span<const std::string> files);

}  // namespace lowbit::data
