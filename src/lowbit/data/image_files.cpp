#include "lowbit/data/image_files.h"

#include <sstream>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/data/image_folder.h"

namespace lowbit::data {
namespace {

namespace fs = std::filesystem;

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
    if (core::is_folder(root / split)) splits.push_back(root / split);
  if (splits.empty()) splits.push_back(root);
  std::vector<fs::path> images;
  for (const fs::path& split : splits)
    for (const std::string& folder : class_folders(split))
      for (const std::string& name : pictures_below(split / folder))
        images.push_back(split / folder / name);
  if (images.empty())
    throw core::failure("'{}': no images in train/CLASS/, val/CLASS/ or CLASS/", root.string());
  return images;
}

}  // namespace lowbit::data
