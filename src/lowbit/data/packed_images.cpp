#include "lowbit/data/packed_images.h"

#include "lowbit/core/error.h"

namespace lowbit::data {
namespace {

PackedIndex index_of(const core::MappedFile& file, const std::filesystem::path& path) {
  try {
    return PackedIndex(file.bytes());
  } catch (core::Error& error) {
    throw error.at(path.string());
  }
}

}  // namespace

PackedImages::PackedImages(const std::filesystem::path& path, Split split)
    : path_(path), file_(path), index_(index_of(file_, path)), split_(split) {
  file_.expect_random_access();
}

std::string PackedImages::name(int64_t i) const {
  const PackedPicture picture = index_.picture(split_, i);
  return fmt::format("{}: {}/{}/{}", path_.string(), folder_name(split_),
                     class_names()[picture.label], index_.name_of(picture));
}

std::string PackedImages::file_name(int64_t i) const {
  return std::string(index_.name_of(index_.picture(split_, i)));
}

StoredPicture PackedImages::stored(int64_t i, std::string&) const {
  const PackedPicture picture = index_.picture(split_, i);
  file_.bring(index_.bytes_of(picture));
  return index_.stored(picture);
}

}  // namespace lowbit::data
