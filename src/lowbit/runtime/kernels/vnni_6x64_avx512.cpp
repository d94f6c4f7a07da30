#if defined(__AVX512VNNI__)

#include "lowbit/runtime/kernels/avx512.h"
#include "lowbit/runtime/kernels/dot_tile.h"
#include "lowbit/runtime/kernels/tile_sizes.h"
#include "lowbit/runtime/kernels/vectors_avx512.h"

namespace lowbit::runtime {
namespace {

// u8 x s8, four products at once to a sum of 32 bits: exact for everything of 8 bits.
struct Bytes : FourByteSteps {
  static Vector multiply_add(Vector sum, Vector input, Vector factor) {
    return _mm512_dpbusd_epi32(sum, input, factor);
  }
};

}  // namespace

constexpr DotSet avx512::kDot8 = {
    .tiles = {"vnni_6x64_avx512", 6, 4, Bytes::lanes, LOWBIT_TILES_4X6(dot_tile, Bytes)},
    .signed_input = false,
    .products = 0,
    .fewest_steps = 1};

}  // namespace lowbit::runtime

#endif
