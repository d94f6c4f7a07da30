// The layout of a file that holds all pictures of a data set.
//
// A header, the pictures one behind the other, the index: a record of fixed size for each picture
// (those of training first, each split in the order of its classes), where the names of the classes
// begin, and the names, each ended by a 0. Numbers are little endian.
//
// The index is used as it lies: to open a set of a million pictures is to copy 100 MB. That is also
// what FlatBuffers would do for it; but its verifier knows neither what lies within a file nor
// whether a byte has changed, so that all that stands here would still be here. A zip archive has
// no place for labels and sizes, and its checksum takes longer than to cut out a sample.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lowbit/data/image.h"
#include "lowbit/data/split.h"

namespace lowbit::data {

enum class PackedFormat : uint32_t {
  files,   // JPEG or PNG, each as in a file of its own
  pixels,  // as in an Image
};

// As it lies in the file.
struct PackedHeader {
  char magic[16];
  uint32_t version;
  PackedFormat format;
  uint64_t index_offset;  // where the pictures end
  uint64_t file_bytes;
  uint64_t pictures[2];  // by split
  uint64_t classes;
  uint64_t index_checksum;
  uint64_t header_checksum;  // of what stands before it
};
static_assert(sizeof(PackedHeader) == 80);

// As it lies in the index.
struct PackedPicture {
  uint64_t offset, bytes;  // in the file
  uint64_t checksum;       // of these bytes
  uint64_t name;           // where it begins among the names: PictureSet::file_name
  uint32_t height, width;  // pixels
  uint32_t label;
  uint32_t zero;
};
static_assert(sizeof(PackedPicture) == 48);

// XXH3, 64 bits: several times as fast as memory.
uint64_t checksum_of(std::string_view bytes);

// A file with its index, all of which has been checked: every picture lies within the file, every
// label is one of a class.
class PackedIndex {
 public:
  // `file` outlives it, but of that only pictures are looked at again. An Error (failure) that says
  // what is wrong with the file.
  explicit PackedIndex(std::string_view file);
  PackedIndex(const PackedIndex&) = delete;
  PackedIndex& operator=(const PackedIndex&) = delete;

  int64_t size(Split split) const;
  const std::vector<std::string>& class_names() const { return class_names_; }

  // i: 0..size(split) - 1
  PackedPicture picture(Split split, int64_t i) const;
  std::string_view name_of(const PackedPicture& picture) const;
  std::string_view bytes_of(const PackedPicture& picture) const;
  // The picture that is in bytes_of. An Error (failure) if they are not what was packed.
  StoredPicture stored(const PackedPicture& picture) const;

 private:
  PackedPicture record(uint64_t i) const;
  std::string_view name_at(uint64_t begin) const;
  void check_records() const;

  std::string_view file_;
  PackedHeader header_ = {};
  std::string index_;  // a copy: a file that is cut meanwhile takes nothing from it
  std::string_view records_, names_;
  std::vector<std::string> class_names_;
};

// Builds an index, picture by picture in the order of the file.
class PackedIndexWriter {
 public:
  explicit PackedIndexWriter(PackedFormat format);

  // Of the pictures of a split, those of training first. The picture lies behind the one before it.
  void add(Split split, PackedPicture picture, std::string_view name);

  // What follows the last picture, and with it the header.
  std::string finish(const std::vector<std::string>& class_names);
  std::string_view header() const;

 private:
  PackedHeader header_ = {};
  std::string records_, names_;
};

}  // namespace lowbit::data
