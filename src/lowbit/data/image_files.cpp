#include "lowbit/data/image_files.h"

#include <algorithm>
#include <sstream>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"

namespace lowbit::data {
namespace {

namespace fs = std::filesystem;

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

// What lies in the folder, by name.
std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (!it->path().filename().native().starts_with(".")) entries.push_back(it->path());
  if (error) throw core::failure("cannot read folder '{}': {}", folder.string(), error.message());
  std::ranges::sort(entries);
  return entries;
}

// Names may hold blanks, so that a label is only what stands behind the name of a file.
fs::path file_of_line(const std::string& line, const fs::path& root) {
  const std::string unlabeled = line.substr(0, line.find_last_of(" \t"));
  for (const std::string& name : {line, unlabeled})
    for (const fs::path& path : {root / name, root / "train" / name})
      if (core::is_file(path)) return path;
  return root / unlabeled;
}

}  // namespace

std::vector<fs::path> listed_images(const fs::path& list, const fs::path& root) {
  std::vector<fs::path> images;
  std::istringstream lines(core::read_file(list));
  for (std::string line; std::getline(lines, line);) {
    line.erase(line.find_last_not_of(" \t\r") + 1);
    if (!line.empty()) images.push_back(file_of_line(line, root));
  }
  return images;
}

std::vector<fs::path> images_in_class_folders(const fs::path& root) {
  std::vector<fs::path> splits;
  for (const char* split : {"train", "val"})
    if (is_folder(root / split)) splits.push_back(root / split);
  if (splits.empty()) splits.push_back(root);
  std::vector<fs::path> images;
  for (const fs::path& split : splits)
    for (const fs::path& folder : entries_of(split))
      if (is_folder(folder))
        for (const fs::path& file : entries_of(folder))
          if (core::is_file(file)) images.push_back(file);
  if (images.empty())
    throw core::failure("'{}': no images in train/CLASS/, val/CLASS/ or CLASS/", root.string());
  return images;
}

}  // namespace lowbit::data
