// Pictures in a folder for each class, or in folders below it, as torchvision's ImageFolder has
// them: the labels are the places of the class folders' names in sorted order.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "lowbit/data/picture_set.h"

namespace lowbit::data {

// How long ago a folder has to have changed for its entries to be known from the time of that: the
// clocks of file systems and of their servers are not exact.
inline constexpr std::chrono::seconds kSettled{2};

// One split of such a set: the classes, and their files in torchvision's order, which is that of
// the names in a folder and that of the folders' paths as texts. It takes about the bytes of the
// names.
class ImageFolder : public PictureSet {
 public:
  // Lists folder/<class>/ and all folders below, links included. Hidden entries are left out, and
  // files whose names do not end as those of pictures; a link that leads back to a folder that it
  // lies in is left out with a warning. What was found is kept in a file of `cache` (a folder;
  // empty: nowhere), from which a class is read the next time if all its folders are the same by
  // inode, size and time of the inode's last change, which is at least `settled` ago; a cache that
  // cannot be written is only slower. An Error (failure) naming the folder if it cannot be read,
  // has no class folders, or one of them has no picture.
  explicit ImageFolder(const std::filesystem::path& folder, const std::filesystem::path& cache = {},
                       std::chrono::nanoseconds settled = kSettled);

  int64_t size() const override { return static_cast<int64_t>(name_begin_.size()); }
  int64_t label(int64_t i) const override;
  const std::vector<std::string>& class_names() const override { return class_names_; }
  std::string name(int64_t i) const override { return path(i).string(); }
  std::string file_name(int64_t i) const override;
  StoredPicture stored(int64_t i, std::string& memory) const override;

  std::filesystem::path path(int64_t i) const;

  // Of how many class folders the listing came from the cache.
  int64_t classes_from_cache() const { return classes_from_cache_; }

 private:
  std::filesystem::path folder_;
  std::vector<std::string> class_names_;
  std::vector<int64_t> class_end_;    // by label: the first image of a later class
  std::string names_;                 // file_name of all, one after the other, each ended by a 0
  std::vector<uint64_t> name_begin_;  // in names_
  int64_t classes_from_cache_ = 0;
};

// Names of the folders in `folder`, sorted, hidden ones left out: the classes of a set. An Error
// (failure) naming `folder` if it cannot be read.
std::vector<std::string> class_folders(const std::filesystem::path& folder);
// The same; none is an Error (failure), too.
std::vector<std::string> require_class_folders(const std::filesystem::path& folder);

// The pictures of a class, relative to its folder, as an ImageFolder lists them. An Error (failure)
// naming a folder that cannot be read.
std::vector<std::string> pictures_below(const std::filesystem::path& folder);

// The content of a file that a folder lists; an Error (failure), too, for what is no regular file:
// a pipe would be waited for.
std::string read_picture_file(const std::filesystem::path& path);

// $XDG_CACHE_HOME/lowbit or $HOME/.cache/lowbit; empty where the environment names neither.
std::filesystem::path user_cache();

}  // namespace lowbit::data
