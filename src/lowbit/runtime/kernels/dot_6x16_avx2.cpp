#if defined(__AVX2__)

#include "lowbit/runtime/kernels/avx2.h"
#include "lowbit/runtime/kernels/dot_tile.h"
#include "lowbit/runtime/kernels/tile_sizes.h"
#include "lowbit/runtime/kernels/vectors_avx2.h"

namespace lowbit::runtime {
namespace {

// u8 x s8, two products to a sum of 16 bits, two sums to a channel.
struct Bytes : FourByteSteps {
  static constexpr bool narrow = true;

  static Vector multiply_add(Vector sum, Vector input, Vector factor) {
    return _mm256_add_epi16(sum, _mm256_maddubs_epi16(input, factor));
  }
  static Vector add_widened(Vector wide, Vector sum) {
    return _mm256_add_epi32(wide, _mm256_madd_epi16(sum, _mm256_set1_epi16(1)));
  }
};

// s16 x s8, in sums of 32 bits: exact for everything of 8 bits.
struct Words : FourByteSteps {
  static constexpr bool narrow = false;
  static constexpr int weight_bytes = 16;

  static Vector load_weights(const uint8_t* from) {
    return _mm256_cvtepi8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(from)));
  }
  static Vector multiply_add(Vector sum, Vector input, Vector factor) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(input, factor));
  }
  static Vector add_widened(Vector, Vector sum) { return sum; }
};

}  // namespace

constexpr DotSet avx2::kDot8 = {
    .tiles = {"dot8_6x16_avx2", 6, 2, Bytes::lanes, LOWBIT_TILES_2X6(dot_tile, Bytes)},
    .signed_input = false,
    .products = 2,
    .fewest_steps = 1};

constexpr TileSet avx2::kDot16 = {"dot16_6x16_avx2", 6, 2, Words::lanes,
                                  LOWBIT_TILES_2X6(dot_tile, Words)};

}  // namespace lowbit::runtime

#endif
