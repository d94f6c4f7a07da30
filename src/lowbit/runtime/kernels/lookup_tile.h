// The table look-up, for vectors V of bytes. The codes of a group of input channels name a row of a
// constant table, the codes of their weights an entry of the row: the exact sum of their products,
// made unsigned. One shuffle of a row therefore adds a group to each of V::lanes output channels.
//
// Bytes are added in bytes, and before they can overflow (Segment::flush) in 16 bits. As a 16-bit
// number a pair of bytes is low + 256 high, so with
//   total = sum of (low + 256 high)  and  odd = sum of high,    mod 2^16,
// sum of low = total - 256 odd: one instruction less than taking the low bytes out.
//
// Included by the file of each instruction set, hence no linkage.
#pragma once

#include "lowbit/runtime/kernels/tile.h"

namespace lowbit::runtime {
namespace {

template <class V, int pixels, int vectors>
void lookup_tile(const Tile& tile) {
  using Vector = typename V::Vector;
  Vector sums[pixels][vectors], total[pixels][vectors], odd[pixels][vectors];
  for (int p = 0; p < pixels; ++p)
    for (int v = 0; v < vectors; ++v) sums[p][v] = total[p][v] = odd[p][v] = V::zero();
  const uint8_t* weights = tile.weights;
  const uint8_t* const table = tile.table;
  for (int i = 0; i < tile.segment_count; ++i) {
    const Segment segment = tile.segments[i];
    const uint16_t* indices[pixels];
    for (int p = 0; p < pixels; ++p)
      indices[p] = reinterpret_cast<const uint16_t*>(tile.inputs[p] + segment.input);
    for (ptrdiff_t step = 0; step < segment.steps; ++step) {
      Vector entries[vectors];
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) entries[v] = V::load(weights + v * V::lanes);
      weights += vectors * V::lanes;
#pragma GCC unroll 6
      for (int p = 0; p < pixels; ++p) {
        const Vector row = V::load_row(table + 8 * static_cast<size_t>(indices[p][step]));
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v)
          sums[p][v] = V::add8(sums[p][v], V::shuffle(row, entries[v]));
      }
    }
    if (!segment.flush) continue;
#pragma GCC unroll 6
    for (int p = 0; p < pixels; ++p) {
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) {
        total[p][v] = V::add16(total[p][v], sums[p][v]);
        odd[p][v] = V::add16(odd[p][v], V::high_bytes(sums[p][v]));
        sums[p][v] = V::zero();
      }
    }
  }
#pragma GCC unroll 6
  for (int p = 0; p < pixels; ++p) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) {
      const int first = tile.first + v * V::lanes;
      const Vector high = V::add16(odd[p][v], V::high_bytes(sums[p][v]));
      const Vector low = V::subtract16(V::add16(total[p][v], sums[p][v]), V::shift_up(high));
      V::store(low, high, tile.scale, tile.base[p] + first, tile.out[p] + first);
    }
  }
}

}  // namespace
}  // namespace lowbit::runtime
