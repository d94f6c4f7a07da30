// Codes packed into indices of table rows. Included by the file of each instruction set, for which
// the compiler vectorizes it, hence no linkage.
#pragma once

#include <cstring>

#include "lowbit/runtime/kernels/tile.h"

namespace lowbit::runtime {
namespace {

// `count` full groups one behind the other. Word: an unsigned integer of `group` bytes.
template <class Word>
void pack_words(const uint8_t* codes, int count, int bits, int shift, uint16_t* indices) {
  constexpr int group = sizeof(Word);
  for (int i = 0; i < count; ++i) {
    Word word;
    std::memcpy(&word, codes + group * i, sizeof word);
    Word index = 0;
    for (int j = 0; j < group; ++j)
      index = static_cast<Word>(index | (word >> (8 * j) & 0xff) << (bits * j));
    indices[i] = static_cast<uint16_t>(index << shift);
  }
}

// One group of at most `group` codes.
inline uint16_t lookup_index(const LookupIndices& row, const uint8_t* codes, int count) {
  unsigned index = 0;
  for (int j = 0; j < row.group; ++j)
    index |= static_cast<unsigned>(j < count ? codes[j] : row.rest) << (row.bits * j);
  return static_cast<uint16_t>(index << row.shift);
}

// Groups of 2 or 4 codes.
inline void pack_lookup_indices(const LookupIndices& row) {
  const auto pack = row.group == 4 ? pack_words<uint32_t> : pack_words<uint16_t>;
  const int full = row.channels / row.group, rest = row.channels % row.group;
  if (rest == 0 && row.stride == row.channels) {
    pack(row.codes, row.pixels * full, row.bits, row.shift, row.indices);
    return;
  }
  uint16_t* indices = row.indices;
  for (int pixel = 0; pixel < row.pixels; ++pixel) {
    const uint8_t* codes = row.codes + pixel * row.stride;
    pack(codes, full, row.bits, row.shift, indices);
    indices += full;
    if (rest) *indices++ = lookup_index(row, codes + row.channels - rest, rest);
  }
}

}  // namespace
}  // namespace lowbit::runtime
