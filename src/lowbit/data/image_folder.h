// Pictures in a folder for each class, as torchvision's ImageFolder has them: the labels are the
// places of the folders' names in sorted order.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "lowbit/data/picture_set.h"

namespace lowbit::data {

// One split of such a set: the classes, and the names of their files in sorted order. It takes
// about the bytes of the names.
class ImageFolder : public PictureSet {
 public:
  // Lists folder/<class>/*. Hidden entries are left out, and files whose names do not end as those
  // of pictures. What was found is kept in a file of `cache` (a folder; empty: nowhere), from which
  // it is read the next time, as far as the folders are as they were by the time of their last
  // change; a cache that cannot be written is only slower. An Error (failure) naming the folder if
  // it does not exist, has no class folders, or one of them has no picture.
  explicit ImageFolder(const std::filesystem::path& folder,
                       const std::filesystem::path& cache = {});

  int64_t size() const override { return static_cast<int64_t>(name_begin_.size()); }
  int64_t label(int64_t i) const override;
  const std::vector<std::string>& class_names() const override { return class_names_; }
  std::string name(int64_t i) const override { return path(i).string(); }
  StoredPicture stored(int64_t i, std::string& memory) const override;

  std::filesystem::path path(int64_t i) const;

  // Of how many class folders the listing came from the cache.
  int64_t classes_from_cache() const { return classes_from_cache_; }

 private:
  std::filesystem::path folder_;
  std::vector<std::string> class_names_;
  std::vector<int64_t> class_end_;    // by label: the first image of a later class
  std::string names_;                 // of the files, one after the other, each ended by a 0
  std::vector<uint64_t> name_begin_;  // in names_
  int64_t classes_from_cache_ = 0;
};

// Names of the folders in `folder`, sorted, hidden ones left out: the classes of a set. An Error
// (failure) naming `folder` if it cannot be read.
std::vector<std::string> class_folders(const std::filesystem::path& folder);
// The same; none is an Error (failure), too.
std::vector<std::string> require_class_folders(const std::filesystem::path& folder);

// Names of the pictures in `folder` (by their ending), sorted, hidden ones left out. An Error
// (failure) naming `folder` if it cannot be read.
std::vector<std::string> picture_names(const std::filesystem::path& folder);

// $XDG_CACHE_HOME/lowbit or $HOME/.cache/lowbit; empty where the environment names neither.
std::filesystem::path user_cache();

}  // namespace lowbit::data
