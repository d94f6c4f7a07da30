#if defined(__AVX2__)

#include "lowbit/runtime/kernels/depthwise_tile.h"
#include "lowbit/runtime/kernels/isa_tiles.h"
#include "lowbit/runtime/kernels/vectors_avx2.h"

namespace lowbit::runtime {
namespace {

struct Channels {
  using Words = __m256i;
  struct Wide {
    __m256i low, high;
  };
  static constexpr int lanes = 16;

  static Words zero() { return _mm256_setzero_si256(); }
  static Wide wide_zero() { return {zero(), zero()}; }
  static Words load_weights(const uint8_t* from) {
    return _mm256_load_si256(reinterpret_cast<const Words*>(from));
  }
  static Words load_bytes(const uint8_t* from) {
    return _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
  static Words multiply_add(Words sum, Words input, Words factor) {
    return _mm256_add_epi16(sum, _mm256_mullo_epi16(input, factor));
  }
  static Wide add_widened(Wide wide, Words sum) {
    return {_mm256_add_epi32(wide.low, _mm256_cvtepi16_epi32(_mm256_castsi256_si128(sum))),
            _mm256_add_epi32(wide.high, _mm256_cvtepi16_epi32(_mm256_extracti128_si256(sum, 1)))};
  }
  static void store(Wide sums, int32_t scale, const int32_t* base, int32_t* out) {
    store_scaled(sums.low, scale, base, out);
    store_scaled(sums.high, scale, base + 8, out + 8);
  }
};

}  // namespace

const TileSet& depthwise_avx2() {
  static constexpr TileSet set = {"depthwise_6x16_avx2", 6, 1, Channels::lanes,
                                  LOWBIT_TILES_1X6(depthwise_tile, Channels)};
  return set;
}

}  // namespace lowbit::runtime

#endif
