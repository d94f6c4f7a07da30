// The tiles that the files of the instruction sets offer.
#pragma once

#include "lowbit/runtime/kernels/tile.h"

// All sizes of a tile function template <class V, int pixels, int vectors> up to 6 pixels.
#define LOWBIT_TILES_6(function, V, vectors)                                      \
  {                                                                               \
    function<V, 1, vectors>, function<V, 2, vectors>, function<V, 3, vectors>,    \
        function<V, 4, vectors>, function<V, 5, vectors>, function<V, 6, vectors> \
  }
#define LOWBIT_TILES_1X6(function, V) \
  { LOWBIT_TILES_6(function, V, 1) }
#define LOWBIT_TILES_2X6(function, V) \
  { LOWBIT_TILES_6(function, V, 1), LOWBIT_TILES_6(function, V, 2) }
#define LOWBIT_TILES_2X4(function, V)                                                 \
  {                                                                                   \
    {function<V, 1, 1>, function<V, 2, 1>, function<V, 3, 1>, function<V, 4, 1>},     \
        {function<V, 1, 2>, function<V, 2, 2>, function<V, 3, 2>, function<V, 4, 2>}, \
  }
#define LOWBIT_TILES_4X6(function, V)                                  \
  {                                                                    \
    LOWBIT_TILES_6(function, V, 1), LOWBIT_TILES_6(function, V, 2),    \
        LOWBIT_TILES_6(function, V, 3), LOWBIT_TILES_6(function, V, 4) \
  }

namespace lowbit::runtime {

const LookupSet& lookup_avx2();
const LookupSet& lookup_avx512();
const LookupSet& lookup_short_avx512();  // rows of half the length, for tables of codes of two bits
const LookupSet& lookup_neon();
const LookupSet& lookup_one_bit_neon();  // the same for weights of one bit alone

const PopcountSet& popcount_portable();
const PopcountSet& popcount_avx2();
const PopcountSet& popcount_avx512();
const PopcountSet& popcount_neon();

// Steps of four bytes, [lanes][4] weights a vector.
const DotSet& dot8_avx2();
const DotSet& dot8_avx512();
const DotSet& dot8_neon();
const DotSet& dot8_dotprod();  // of NEON, but not every machine has it

// Steps of two 16-bit integers times two signed bytes, [lanes][2] weights a vector.
const TileSet& dot16_portable();
const TileSet& dot16_avx2();
const TileSet& dot16_neon();

// Each channel by itself: a segment is one step, the input of a channel a byte. The sums are of 16
// bits.
const DepthwiseSet& depthwise_portable();
const DepthwiseSet& depthwise_avx2();
const DepthwiseSet& depthwise_neon();

}  // namespace lowbit::runtime
