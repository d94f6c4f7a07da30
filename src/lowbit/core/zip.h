// Zip archives: the container of PyTorch's .pth files. Written with stored entries.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lowbit::core {

// An entry of an archive in memory.
struct ZipEntry {
  std::string name;
  std::string_view data;  // within the archive, or within `inflated`
  std::shared_ptr<const std::string> inflated = {};
};

// True if `bytes` begin as an archive does.
bool is_zip(std::string_view bytes);

// The entries of the archive `bytes`, zip64 included, in the order of its directory; compressed
// (deflated) ones are unpacked. An archive that is cut or damaged (a checksum does not hold, an
// entry lies outside, two overlap), an entry that is encrypted, compressed by another method, or a
// bomb (all entries together more than `most_unfolded` times the archive and 16 MiB): an Error
// (failure) that says so. A checksum of 0 stands for "none", as PyTorch writes it on request.
std::vector<ZipEntry> read_zip(std::string_view bytes);
inline constexpr uint64_t most_unfolded = 100;

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
