#include "lowbit/data/packed_index.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>

#include "lowbit/core/error.h"
#include "lowbit/data/image_formats.h"

namespace lowbit::data {
namespace {

// Header and records are copied from and to the file as they stand in memory.
static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kMagic{"lowbit pictures\n", sizeof(PackedHeader::magic)};
constexpr uint32_t kVersion = 1;

core::Error damaged(const char* what) {
  return core::failure("a damaged set of packed pictures: {}", what);
}

template <class Struct>
Struct copied(std::string_view bytes, uint64_t offset) {
  Struct value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

template <class Struct>
std::string_view bytes_of_struct(const Struct& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

uint64_t checksum_of_header(const PackedHeader& header) {
  return checksum_of(bytes_of_struct(header).substr(0, offsetof(PackedHeader, header_checksum)));
}

PackedHeader read_header(std::string_view file) {
  if (!file.starts_with(kMagic))
    throw core::failure("no set of packed pictures, as lowbit tools pack-data makes it");
  if (file.size() < sizeof(PackedHeader)) throw damaged("it is cut off in the header");
  const auto header = copied<PackedHeader>(file, 0);
  if (header.version != kVersion)
    throw core::failure("packed pictures of version {}; this program reads {}", header.version,
                        kVersion);
  if (header.header_checksum != checksum_of_header(header))
    throw damaged("the checksum of the header does not hold");
  if (header.file_bytes != file.size())
    throw core::failure("a damaged set of packed pictures: it has {} bytes of {}", file.size(),
                        header.file_bytes);
  return header;
}

// The size of the records; every number of the header is bounded by that of the file.
uint64_t record_bytes(const PackedHeader& header) {
  const auto within = [](uint64_t offset, uint64_t end) {
    if (offset > end) throw damaged("the header names more than there is");
    return end - offset;
  };
  uint64_t rest = within(header.index_offset, header.file_bytes);
  within(sizeof(PackedHeader), header.index_offset);
  for (const uint64_t count : header.pictures) {
    within(count, rest / sizeof(PackedPicture));
    rest -= count * sizeof(PackedPicture);
  }
  within(header.classes, rest / sizeof(uint64_t));
  if (header.format != PackedFormat::files && header.format != PackedFormat::pixels)
    throw damaged("a format that this program does not know");
  return (header.pictures[0] + header.pictures[1]) * sizeof(PackedPicture);
}

void append(std::string& to, const auto& value) {
  to += bytes_of_struct(value);
}

}  // namespace

uint64_t checksum_of(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

PackedIndex::PackedIndex(std::string_view file) : file_(file), header_(read_header(file)) {
  const uint64_t records = record_bytes(header_), classes = header_.classes * sizeof(uint64_t);
  index_ = file.substr(header_.index_offset);
  const std::string_view index = index_;
  if (checksum_of(index) != header_.index_checksum)
    throw damaged("the checksum of the index does not hold");
  records_ = index.substr(0, records);
  names_ = index.substr(records + classes);
  if (!names_.ends_with('\0')) throw damaged("a name has no end");
  for (uint64_t i = 0; i < header_.classes; ++i)
    class_names_.emplace_back(name_at(copied<uint64_t>(index, records + i * sizeof(uint64_t))));
  check_records();
}

void PackedIndex::check_records() const {
  for (uint64_t i = 0; i < header_.pictures[0] + header_.pictures[1]; ++i) {
    const PackedPicture picture = record(i);
    if (picture.offset < sizeof(PackedHeader) || picture.offset > header_.index_offset ||
        picture.bytes > header_.index_offset - picture.offset)
      throw damaged("a picture lies outside of it");
    check_size(picture.height, picture.width);
    if (header_.format == PackedFormat::pixels &&
        picture.bytes != uint64_t{picture.height} * picture.width * 3)
      throw damaged("a picture has another size than its pixels");
    if (picture.label >= header_.classes) throw damaged("a label is of no class");
    if (picture.name >= names_.size()) throw damaged("a name lies outside of it");
  }
}

int64_t PackedIndex::size(Split split) const {
  return static_cast<int64_t>(header_.pictures[static_cast<size_t>(split)]);
}

PackedPicture PackedIndex::picture(Split split, int64_t i) const {
  return record(static_cast<uint64_t>(i) + (split == Split::train ? 0 : header_.pictures[0]));
}

PackedPicture PackedIndex::record(uint64_t i) const {
  return copied<PackedPicture>(records_, i * sizeof(PackedPicture));
}

// The names end with a 0.
std::string_view PackedIndex::name_at(uint64_t begin) const {
  if (begin >= names_.size()) throw damaged("a name lies outside of it");
  return names_.data() + begin;
}

std::string_view PackedIndex::name_of(const PackedPicture& picture) const {
  return name_at(picture.name);
}

std::string_view PackedIndex::bytes_of(const PackedPicture& picture) const {
  return file_.substr(picture.offset, picture.bytes);
}

StoredPicture PackedIndex::stored(const PackedPicture& picture) const {
  const std::string_view bytes = bytes_of(picture);
  if (checksum_of(bytes) != picture.checksum)
    throw core::failure("its bytes are not those that were packed");
  if (header_.format == PackedFormat::files) return {bytes};
  return {bytes, picture.height, picture.width};
}

PackedIndexWriter::PackedIndexWriter(PackedFormat format) {
  std::ranges::copy(kMagic, header_.magic);
  header_.version = kVersion;
  header_.format = format;
  header_.index_offset = sizeof(PackedHeader);
}

void PackedIndexWriter::add(Split split, PackedPicture picture, std::string_view name) {
  picture.offset = header_.index_offset;
  picture.name = names_.size();
  append(records_, picture);
  names_ += name;
  names_ += '\0';
  header_.index_offset += picture.bytes;
  ++header_.pictures[static_cast<size_t>(split)];
}

std::string PackedIndexWriter::finish(const std::vector<std::string>& class_names) {
  std::string index = std::move(records_);
  for (const std::string& name : class_names) {
    append(index, uint64_t{names_.size()});
    names_ += name;
    names_ += '\0';
  }
  index += names_;
  header_.classes = class_names.size();
  header_.file_bytes = header_.index_offset + index.size();
  header_.index_checksum = checksum_of(index);
  header_.header_checksum = checksum_of_header(header_);
  return index;
}

std::string_view PackedIndexWriter::header() const {
  return bytes_of_struct(header_);
}

}  // namespace lowbit::data
