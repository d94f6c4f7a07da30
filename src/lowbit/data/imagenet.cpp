#include "lowbit/data/imagenet.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/data/image_folder.h"
#include "lowbit/data/packed_images.h"

namespace lowbit::data {
namespace {

namespace fs = std::filesystem;

fs::path root_of(const config::DataOptions& options) {
  return options.root.empty() ? fs::path("data/imagenet") : fs::path(options.root);
}

fs::path folder_of(const config::DataOptions& options, Split split) {
  return root_of(options) / folder_name(split);
}

bool is_packed(const config::DataOptions& options) {
  return core::is_file(root_of(options));
}

std::unique_ptr<const PictureSet> open_packed(const config::DataOptions& options, Split split) {
  auto images = std::make_unique<PackedImages>(root_of(options), split);
  if (images->size() == 0)
    throw core::failure("'{}' has no images of {}/", root_of(options).string(), folder_name(split));
  return images;
}

// A label is a place among the names: where one split lacks a class all later labels would differ.
void require_same_classes(const fs::path& folder, const fs::path& other,
                          const std::vector<std::string>& classes) {
  if (!core::is_folder(other)) return;
  const std::vector<std::string> others = class_folders(other);
  const auto [mine, theirs] = std::ranges::mismatch(classes, others);
  if (mine == classes.end() && theirs == others.end()) return;
  const bool lacks = mine == classes.end() || (theirs != others.end() && *theirs < *mine);
  throw core::failure("'{}' has no class folder '{}', which '{}' has",
                      (lacks ? folder : other).string(), lacks ? *theirs : *mine,
                      (lacks ? other : folder).string());
}

// The error says what is there instead: validation/, or the classes themselves.
core::Error no_split(const fs::path& folder) {
  const fs::path root = folder.parent_path();
  std::string others;
  if (core::is_folder(root)) {
    constexpr size_t kMostNamed = 5;
    std::vector<std::string> names = class_folders(root);
    const char* more = names.size() > kMostNamed ? ", ..." : "";
    names.resize(std::min(names.size(), kMostNamed));
    if (!names.empty())
      others = fmt::format("; '{}' has {}{}", root.string(), fmt::join(names, ", "), more);
  }
  return core::failure("there is no folder '{}'{}", folder.string(), others);
}

Split other_than(Split split) {
  return split == Split::train ? Split::validation : Split::train;
}

}  // namespace

bool has_images(const config::DataOptions& options, Split split) {
  if (is_packed(options)) return PackedImages(root_of(options), split).size() > 0;
  return core::is_folder(folder_of(options, split));
}

std::vector<std::string> image_classes(const config::DataOptions& options, Split split) {
  if (is_packed(options)) return open_packed(options, split)->class_names();
  return require_class_folders(folder_of(options, split));
}

void require_images(const config::DataOptions& options, Split split) {
  if (is_packed(options)) {
    open_packed(options, split);
    return;
  }
  const fs::path folder = folder_of(options, split);
  if (!core::is_folder(folder)) throw no_split(folder);
  require_same_classes(folder, folder_of(options, other_than(split)),
                       require_class_folders(folder));
}

std::unique_ptr<const PictureSet> open_pictures(const config::DataOptions& options, Split split) {
  if (is_packed(options)) return open_packed(options, split);
  require_images(options, split);
  return std::make_unique<ImageFolder>(folder_of(options, split), user_cache());
}

}  // namespace lowbit::data
