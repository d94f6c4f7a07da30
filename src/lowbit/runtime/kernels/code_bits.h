// Codes of one bit packed into bits. Included by the file of each instruction set, hence no
// linkage.
#pragma once

#include <cstring>

#include "lowbit/runtime/kernels/tile.h"

namespace lowbit::runtime {
namespace {

// V::bits: the lowest bits of 32 bytes.
template <class V>
void pack_code_bits(const CodeBits& row) {
  constexpr int kCodes = 32;
  const int rest = row.channels % kCodes, full = row.channels - rest;
  uint8_t* to = row.bits;
  const auto put = [&](const uint8_t* codes) {
    const uint32_t bits = V::bits(codes);
    std::memcpy(to, &bits, sizeof bits);
    to += sizeof bits;
  };
  for (int pixel = 0; pixel < row.pixels; ++pixel) {
    const uint8_t* codes = row.codes + pixel * row.stride;
    for (int i = 0; i < full; i += kCodes) put(codes + i);
    if (rest == 0) continue;
    uint8_t last[kCodes] = {};
    std::memcpy(last, codes + full, static_cast<size_t>(rest));
    put(last);
  }
}

}  // namespace
}  // namespace lowbit::runtime
