// Depthwise convolution for vectors V of channels: a segment is one product a channel, or where V
// has them the sum of two, of taps that lie Segment::steps bytes one behind the other. Products are
// added in 16 bits and before that can overflow (Segment::flush) in 32.
//
// Included by the file of each instruction set, hence no linkage.
#pragma once

#include "lowbit/runtime/kernels/tile.h"

namespace lowbit::runtime {
namespace {

template <class V, int pixels, int vectors>
void depthwise_tile(const Tile& tile) {
  static_assert(vectors == 1);
  typename V::Words sums[pixels];
  typename V::Wide wide[pixels];
  for (int p = 0; p < pixels; ++p) sums[p] = V::zero();
  bool has_wide = false;  // mostly 16 bits hold all that there is
  const uint8_t* weights = tile.weights;
  const int32_t scale = tile.scale;  // for which what is stored might be taken
  const uint8_t* inputs[pixels];
  for (int p = 0; p < pixels; ++p) inputs[p] = tile.inputs[p] + tile.first_input;
  for (int i = 0; i < tile.segment_count; ++i) {
    const Segment segment = tile.segments[i];
    const typename V::Factors factors = V::load_weights(weights);
    weights += V::weight_bytes;
#pragma GCC unroll 6
    for (int p = 0; p < pixels; ++p)
      sums[p] = V::multiply_add(sums[p], inputs[p] + segment.input, segment.steps, factors);
    if (!segment.flush) continue;
    for (int p = 0; p < pixels; ++p) {
      wide[p] = V::add_widened(has_wide ? wide[p] : V::wide_zero(), sums[p]);
      sums[p] = V::zero();
    }
    has_wide = true;
  }
#pragma GCC unroll 6
  for (int p = 0; p < pixels; ++p)
    V::store(V::add_widened(has_wide ? wide[p] : V::wide_zero(), sums[p]), scale,
             tile.base[p] + tile.first, tile.out[p] + tile.first);
}

}  // namespace
}  // namespace lowbit::runtime
