#if defined(__AVX2__)

#include "lowbit/runtime/kernels/avx2.h"
#include "lowbit/runtime/kernels/lookup_indices.h"
#include "lowbit/runtime/kernels/lookup_tile.h"
#include "lowbit/runtime/kernels/tile_sizes.h"
#include "lowbit/runtime/kernels/vectors_avx2.h"

namespace lowbit::runtime {
namespace {

// Rows of 16 bytes: four bits of weights, four of one bit or two of two.
struct Bytes {
  using Vector = __m256i;
  static constexpr int lanes = 32;

  static Vector zero() { return _mm256_setzero_si256(); }
  static Vector load(const uint8_t* from) {
    return _mm256_load_si256(reinterpret_cast<const Vector*>(from));
  }
  static Vector load_row(const uint8_t* row) {
    return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(row)));
  }
  static Vector shuffle(Vector row, Vector entries) { return _mm256_shuffle_epi8(row, entries); }
  static Vector add8(Vector a, Vector b) { return _mm256_add_epi8(a, b); }
  static Vector add16(Vector a, Vector b) { return _mm256_add_epi16(a, b); }
  static Vector subtract16(Vector a, Vector b) { return _mm256_sub_epi16(a, b); }
  static Vector high_bytes(Vector a) { return _mm256_srli_epi16(a, 8); }
  static Vector shift_up(Vector a) { return _mm256_slli_epi16(a, 8); }

  // even: sums of the channels 0, 2, ..., odd: of 1, 3, ..., of 16 bits each
  static void store(Vector even, Vector odd, int32_t scale, const int32_t* base, int32_t* out) {
    const Vector low = _mm256_unpacklo_epi16(even, odd);   // channels 0 .. 7, 16 .. 23
    const Vector high = _mm256_unpackhi_epi16(even, odd);  // channels 8 .. 15, 24 .. 31
    const __m128i parts[4] = {_mm256_castsi256_si128(low), _mm256_castsi256_si128(high),
                              _mm256_extracti128_si256(low, 1), _mm256_extracti128_si256(high, 1)};
    for (int i = 0; i < 4; ++i)
      store_scaled(_mm256_cvtepu16_epi32(parts[i]), scale, base + 8 * i, out + 8 * i);
  }
};

}  // namespace

constexpr LookupSet avx2::kLookup = {
    {"lookup_6x64_avx2", 6, 2, Bytes::lanes, LOWBIT_TILES_2X6(lookup_tile, Bytes)},
    4,
    1 << 14,  // within the first cache
    {25, 25},
    pack_lookup_indices};

}  // namespace lowbit::runtime

#endif
