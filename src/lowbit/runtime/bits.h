// Codes of a few bits, one behind the other: the lowest bit first, the last byte filled up with
// zeros.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace lowbit::runtime {

// Bytes that `count` codes of `bits` (1..8) bits take.
constexpr size_t packed_bytes(size_t count, int bits) {
  return (count * static_cast<size_t>(bits) + 7) / 8;
}

// Each code (below 2^bits) in `bits` (1..8) bits.
inline std::vector<uint8_t> pack_bits(std::span<const uint8_t> codes, int bits) {
  std::vector<uint8_t> packed(packed_bytes(codes.size(), bits));
  size_t position = 0;
  for (const uint8_t code : codes) {
    const unsigned shifted = static_cast<unsigned>(code) << (position % 8);
    packed[position / 8] = static_cast<uint8_t>(packed[position / 8] | shifted);
    if (shifted > 0xff) packed[position / 8 + 1] = static_cast<uint8_t>(shifted >> 8);
    position += static_cast<size_t>(bits);
  }
  return packed;
}

// Code number `index` of those in `packed`.
inline uint8_t unpack_bits(std::span<const uint8_t> packed, size_t index, int bits) {
  const size_t position = index * static_cast<size_t>(bits), byte = position / 8;
  unsigned value = packed[byte];
  if (byte + 1 < packed.size()) value |= static_cast<unsigned>(packed[byte + 1]) << 8;
  return static_cast<uint8_t>((value >> (position % 8)) & ((1u << bits) - 1));
}

}  // namespace lowbit::runtime
