#include "lowbit/data/idx.h"

#include <algorithm>
#include <string>
#include <vector>

#include "lowbit/core/error.h"
#include "lowbit/data/archive.h"

namespace lowbit::data {
namespace {

int64_t number_at(const std::string& bytes, size_t place) {
  int64_t number = 0;
  for (size_t i = place; i < place + 4; ++i) number = number * 256 + static_cast<uint8_t>(bytes[i]);
  return number;
}

}  // namespace

torch::Tensor read_idx(const std::filesystem::path& path, int rank, size_t limit) {
  const std::string bytes = read_unpacked(path, limit);
  const size_t header = 4 + 4 * static_cast<size_t>(rank);
  if (bytes.size() < header) {
    throw core::failure("'{}' has {} bytes (unpacked), fewer than its header of {}", path.string(),
                        bytes.size(), header);
  }
  const int64_t magic = number_at(bytes, 0), expected_magic = 0x800 + rank;
  if (magic != expected_magic) {
    throw core::failure("'{}' is not the expected idx file: it begins with {:#x}, not {:#x}",
                        path.string(), magic, expected_magic);
  }
  std::vector<int64_t> sizes;
  double elements = 1;  // a double is exact for true sizes, and no damaged one makes it overflow
  for (size_t place = 4; place < header; place += 4) {
    sizes.push_back(number_at(bytes, place));
    elements *= static_cast<double>(sizes.back());
  }
  const double expected = static_cast<double>(header) + elements;
  if (expected != static_cast<double>(bytes.size())) {
    throw core::failure("'{}' has {} bytes (unpacked), expected {:.0f} by its header",
                        path.string(), bytes.size(), expected);
  }
  torch::Tensor data = torch::empty(sizes, torch::kUInt8);
  std::copy(bytes.begin() + static_cast<std::ptrdiff_t>(header), bytes.end(),
            data.data_ptr<uint8_t>());
  return data;
}

}  // namespace lowbit::data
