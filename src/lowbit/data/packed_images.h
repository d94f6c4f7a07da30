// Pictures that lowbit tools pack-data has put into one file.
#pragma once

#include <filesystem>

#include "lowbit/core/mapped_file.h"
#include "lowbit/data/packed_index.h"
#include "lowbit/data/picture_set.h"

namespace lowbit::data {

class PackedImages : public PictureSet {
 public:
  // Reads the index of the file. An Error (failure) naming the file if it cannot be read or is
  // damaged.
  PackedImages(const std::filesystem::path& path, Split split);

  // 0 if the file has nothing of the split.
  int64_t size() const override { return index_.size(split_); }
  int64_t label(int64_t i) const override { return index_.picture(split_, i).label; }
  const std::vector<std::string>& class_names() const override { return index_.class_names(); }
  // "FILE: val/CLASS/NAME"
  std::string name(int64_t i) const override;
  std::string file_name(int64_t i) const override;
  // Also an Error if the checksum does not hold.
  StoredPicture stored(int64_t i, std::string& memory) const override;

 private:
  std::filesystem::path path_;
  core::MappedFile file_;
  PackedIndex index_;
  Split split_;
};

}  // namespace lowbit::data
