// Zip archives whose entries are stored, not compressed: the container of PyTorch's .pth files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lowbit::core {

// An entry of an archive in memory.
struct ZipEntry {
  std::string name;
  std::string_view data;  // within the archive
};

// True if `bytes` begin as an archive does.
bool is_zip(std::string_view bytes);

// The entries of the archive `bytes`, zip64 included, in the order of its directory. An archive
// that is cut or damaged (a checksum does not hold, an entry lies outside, two overlap), an entry
// that is compressed or encrypted: an Error (failure) that says so. A checksum of 0 stands for
// "none", as PyTorch writes it on request.
std::vector<ZipEntry> read_stored_zip(std::string_view bytes);

// Builds an archive in memory.
class StoredZipWriter {
 public:
  // Where the data of every entry begins: a multiple of this, so that a reader may map it.
  static constexpr size_t alignment = 64;

  void add(std::string_view name, std::string_view data);
  std::string finish() &&;

 private:
  struct Entry {
    std::string name;
    uint32_t checksum;
    uint64_t size, offset;
  };
  std::string out_;
  std::vector<Entry> entries_;
};

}  // namespace lowbit::core
