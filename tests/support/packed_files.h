// Changed files of packed pictures.
#pragma once

#include <cstddef>
#include <cstring>
#include <string>

#include "lowbit/data/packed_index.h"

namespace lowbit::testing_support {

// Puts the right size and checksums into the header, so that only what the rest says can be wrong.
inline void seal(std::string& file) {
  data::PackedHeader header;
  if (file.size() < sizeof header) return;
  std::memcpy(&header, file.data(), sizeof header);
  header.file_bytes = file.size();
  if (header.index_offset <= file.size())
    header.index_checksum = data::checksum_of(std::string_view(file).substr(header.index_offset));
  header.header_checksum = data::checksum_of(
      {reinterpret_cast<const char*>(&header), offsetof(data::PackedHeader, header_checksum)});
  std::memcpy(file.data(), &header, sizeof header);
}

}  // namespace lowbit::testing_support
