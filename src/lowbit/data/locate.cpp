#include "lowbit/data/locate.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"

namespace lowbit::data {
namespace {

namespace fs = std::filesystem;

// A file that the user names is one of the set's or else an archive of it, under whatever name.
std::optional<Location> locate_file(const Places& places, const fs::path& root,
                                    std::span<const std::string> files) {
  if (std::ranges::find(files, root.filename().string()) != files.end()) {
    return Location{root.parent_path(), false};
  }
  if (places.archives.empty()) return std::nullopt;
  return Location{root, true};
}

std::optional<Location> locate_in(const Places& places, const fs::path& root,
                                  std::span<const std::string> files) {
  if (core::is_file(root)) return locate_file(places, root, files);
  std::vector<fs::path> folders = {root};
  for (const std::string& name : places.folders) folders.push_back(root / name);
  for (const fs::path& folder : folders) {
    if (std::ranges::any_of(files,
                            [&](const auto& name) { return core::is_file(folder / name); })) {
      return Location{folder, false};
    }
  }
  for (const std::string& archive : places.archives) {
    if (core::is_file(root / archive)) return Location{root / archive, true};
  }
  return std::nullopt;
}

std::vector<std::string> roots_of(const Places& places, const std::string& root) {
  return root.empty() ? places.usual : std::vector<std::string>{root};
}

}  // namespace

std::optional<Location> find_location(const Places& places, const std::string& root,
                                      std::span<const std::string> files) {
  for (const std::string& place : roots_of(places, root)) {
    if (auto location = locate_in(places, place, files)) return location;
  }
  return std::nullopt;
}

Location locate(const Places& places, const std::string& root, std::span<const std::string> files) {
  if (auto location = find_location(places, root, files)) return *location;
  std::error_code ignored;
  if (!root.empty() && !fs::exists(root, ignored)) throw core::failure("'{}' does not exist", root);
  std::vector<std::string> names(files.begin(), files.end());
  names.insert(names.end(), places.archives.begin(), places.archives.end());
  throw core::failure("none of {} is in {}", fmt::join(names, ", "),
                      fmt::join(roots_of(places, root), ", "));
}

}  // namespace lowbit::data
