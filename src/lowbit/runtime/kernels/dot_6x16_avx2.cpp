#if defined(__AVX2__)

#include "lowbit/runtime/kernels/dot_tile.h"
#include "lowbit/runtime/kernels/isa_tiles.h"
#include "lowbit/runtime/kernels/vectors_avx2.h"

namespace lowbit::runtime {
namespace {

struct Channels {
  using Vector = __m256i;
  using Sums = Vector;
  using Wide = Vector;
  using Factors = Vector;
  using Input = Vector;
  static constexpr int lanes = 8;

  static Vector zero() { return _mm256_setzero_si256(); }
  static Vector wide_zero() { return zero(); }
  static Vector broadcast(const uint8_t* input) {
    int32_t four;
    __builtin_memcpy(&four, input, sizeof four);
    return _mm256_set1_epi32(four);
  }
  static void store(Vector sums, int32_t scale, const int32_t* base, int32_t* out, int) {
    store_scaled(sums, scale, base, out);
  }
};

// u8 x s8, two products to a sum of 16 bits, two sums to a channel.
struct Bytes : Channels {
  static constexpr bool narrow = true;
  static constexpr int weight_bytes = 32;

  static Vector load_weights(const uint8_t* from) {
    return _mm256_load_si256(reinterpret_cast<const Vector*>(from));
  }
  static Vector multiply_add(Vector sum, Vector input, Vector factor) {
    return _mm256_add_epi16(sum, _mm256_maddubs_epi16(input, factor));
  }
  static Vector add_widened(Vector wide, Vector sum) {
    return _mm256_add_epi32(wide, _mm256_madd_epi16(sum, _mm256_set1_epi16(1)));
  }
};

// s16 x s8, in sums of 32 bits: exact for everything of 8 bits.
struct Words : Channels {
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

const DotSet& dot8_avx2() {
  static constexpr DotSet set = {
      .tiles = {"dot8_6x16_avx2", 6, 2, Bytes::lanes, LOWBIT_TILES_2X6(dot_tile, Bytes)},
      .signed_input = false,
      .products = 2,
      .fewest_steps = 1};
  return set;
}

const TileSet& dot16_avx2() {
  static constexpr TileSet set = {"dot16_6x16_avx2", 6, 2, Words::lanes,
                                  LOWBIT_TILES_2X6(dot_tile, Words)};
  return set;
}

}  // namespace lowbit::runtime

#endif
