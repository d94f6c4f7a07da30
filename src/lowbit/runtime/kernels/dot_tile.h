// Dot products of short pieces along the input, for vectors V of output channels: a step broadcasts
// four bytes of a pixel, multiplies them with four bytes' worth of weights of each channel and
// adds. Narrow sums, where V has them, are added to 32 bits before they can overflow
// (Segment::flush); wide ones are all that add_widened gives elsewhere.
//
// Included by the file of each instruction set, hence no linkage.
#pragma once

#include "lowbit/runtime/kernels/tile.h"

namespace lowbit::runtime {
namespace {

template <class V, int pixels, int vectors>
void dot_tile(const Tile& tile) {
  typename V::Sums sums[pixels][vectors];
  typename V::Wide wide[pixels][vectors] = {};
  for (int p = 0; p < pixels; ++p)
    for (int v = 0; v < vectors; ++v) sums[p][v] = V::zero();
  bool has_wide = false;  // short sums need none
  const auto widened = [&](int p, int v) {
    return V::add_widened(V::narrow && has_wide ? wide[p][v] : V::wide_zero(), sums[p][v]);
  };
  const uint8_t* weights = tile.weights;
  for (int i = 0; i < tile.segment_count; ++i) {
    const Segment segment = tile.segments[i];
    const uint8_t* inputs[pixels];
    for (int p = 0; p < pixels; ++p) inputs[p] = tile.inputs[p] + segment.input;
    for (ptrdiff_t step = 0; step < segment.steps; ++step) {
      typename V::Factors factors[vectors];
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) factors[v] = V::load_weights(weights + v * V::weight_bytes);
      weights += vectors * V::weight_bytes;
#pragma GCC unroll 6
      for (int p = 0; p < pixels; ++p) {
        const typename V::Input input = V::broadcast(inputs[p] + 4 * step);
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v)
          sums[p][v] = V::multiply_add(sums[p][v], input, factors[v]);
      }
    }
    if (!V::narrow || !segment.flush) continue;
#pragma GCC unroll 6
    for (int p = 0; p < pixels; ++p) {
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) {
        wide[p][v] = widened(p, v);
        sums[p][v] = V::zero();
      }
    }
    has_wide = true;
  }
#pragma GCC unroll 6
  for (int p = 0; p < pixels; ++p) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) {
      const int first = tile.first + v * V::lanes;
      V::store(widened(p, v), tile.scale, tile.base[p] + first, tile.out[p] + first);
    }
  }
}

}  // namespace
}  // namespace lowbit::runtime
