#if defined(__AVX512VBMI__)

#include "lowbit/runtime/kernels/avx512.h"
#include "lowbit/runtime/kernels/lookup_indices.h"
#include "lowbit/runtime/kernels/lookup_tile.h"
#include "lowbit/runtime/kernels/tile_sizes.h"
#include "lowbit/runtime/kernels/vectors_avx512.h"

namespace lowbit::runtime {
namespace {

// Rows of 64 bytes: six bits of weights, six of one bit or three of two.
struct Bytes {
  using Vector = __m512i;
  static constexpr int lanes = 64;

  static Vector zero() { return _mm512_setzero_si512(); }
  static Vector load(const uint8_t* from) { return _mm512_load_si512(from); }
  static Vector load_row(const uint8_t* row) { return _mm512_load_si512(row); }
  static Vector shuffle(Vector row, Vector entries) {
    return _mm512_permutexvar_epi8(entries, row);
  }
  static Vector add8(Vector a, Vector b) { return _mm512_add_epi8(a, b); }
  static Vector add16(Vector a, Vector b) { return _mm512_add_epi16(a, b); }
  static Vector subtract16(Vector a, Vector b) { return _mm512_sub_epi16(a, b); }
  static Vector high_bytes(Vector a) { return _mm512_srli_epi16(a, 8); }
  static Vector shift_up(Vector a) { return _mm512_slli_epi16(a, 8); }

  // even: sums of the channels 0, 2, ..., odd: of 1, 3, ..., of 16 bits each
  static void store(Vector even, Vector odd, int32_t scale, const int32_t* base, int32_t* out) {
    // As numbers of 32 bits those of a channel and of the next lie one behind the other; the
    // lanes of two vectors in turn are the channels in order.
    const Vector even_low = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(even));
    const Vector even_high = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(even, 1));
    const Vector odd_low = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(odd));
    const Vector odd_high = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(odd, 1));
    const Vector first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const Vector second =
        _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    store_scaled(_mm512_permutex2var_epi32(even_low, first, odd_low), scale, base, out);
    store_scaled(_mm512_permutex2var_epi32(even_low, second, odd_low), scale, base + 16, out + 16);
    store_scaled(_mm512_permutex2var_epi32(even_high, first, odd_high), scale, base + 32, out + 32);
    store_scaled(_mm512_permutex2var_epi32(even_high, second, odd_high), scale, base + 48,
                 out + 48);
  }
};

// Rows of 32 bytes, which stand in both halves: five bits of weights of one bit.
struct ShortRows : Bytes {
  static Vector load_row(const uint8_t* row) {
    return _mm512_broadcast_i64x4(_mm256_load_si256(reinterpret_cast<const __m256i*>(row)));
  }
};

// Eight groups at a time, each in 64 bits: its codes become the bytes 0 .. group - 1. Neighbors
// are then joined: bytes to 16 bits, these to 32, and those to the index.
void pack_groups(const LookupIndices& row) {
  const int groups = (row.channels + row.group - 1) / row.group;
  alignas(64) uint8_t place[64];
  for (int i = 0; i < 64; ++i)
    place[i] = static_cast<uint8_t>(i / 8 * row.group + (i % 8 < row.group ? i % 8 : 0));
  const __m512i places = _mm512_load_si512(place);
  const __mmask64 used = _cvtu64_mask64(0x0101010101010101ull * ((1u << row.group) - 1));
  const __m512i join8 = _mm512_set1_epi16(static_cast<short>(1 | 1 << (8 + row.bits)));
  const __m512i join16 = _mm512_set1_epi32(1 | 1 << (16 + 2 * row.bits));
  const __m512i rest = _mm512_set1_epi8(static_cast<char>(row.rest));
  const bool joined = row.stride == row.channels && row.channels % row.group == 0;
  const int lines = joined ? 1 : row.pixels,
            channels = joined ? row.channels * row.pixels : row.channels;
  const int line_groups = joined ? groups * row.pixels : groups;
  uint16_t* indices = row.indices;
  for (int line = 0; line < lines; ++line) {
    const uint8_t* codes = row.codes + line * row.stride;
    for (int group = 0; group < line_groups; group += 8) {
      const int first = group * row.group, left = channels - first;
      const __mmask64 valid = left >= 64 ? ~__mmask64{0} : (__mmask64{1} << left) - 1;
      const __m512i bytes = _mm512_mask_loadu_epi8(rest, valid, codes + first);
      const __m512i spread = _mm512_maskz_permutexvar_epi8(used, places, bytes);
      const __m512i words = _mm512_maddubs_epi16(spread, join8);
      const __m512i pairs = _mm512_madd_epi16(words, join16);
      const __m512i high = _mm512_srli_epi64(pairs, 32);
      const __m512i index =
          _mm512_or_si512(pairs, _mm512_sll_epi64(high, _mm_cvtsi32_si128(4 * row.bits)));
      const __m128i narrow =
          _mm512_cvtepi64_epi16(_mm512_sll_epi64(index, _mm_cvtsi32_si128(row.shift)));
      const int count = line_groups - group;
      const __mmask8 stored =
          count >= 8 ? __mmask8{0xff} : static_cast<__mmask8>((1u << count) - 1);
      _mm_mask_storeu_epi16(indices + group, stored, narrow);
    }
    indices += line_groups;
  }
}

}  // namespace

constexpr LookupSet avx512::kLookup = {
    {"lookup_6x128_avx512", 6, 2, Bytes::lanes, LOWBIT_TILES_2X6(lookup_tile, Bytes)},
    6,
    1 << 18,  // within the second cache
    {25, 41},
    pack_groups};

// A table of 32 KB, within the first cache, where that of whole rows has 256.
constexpr LookupSet avx512::kLookupShort = {
    {"lookup_short_6x128_avx512", 6, 2, Bytes::lanes, LOWBIT_TILES_2X6(lookup_tile, ShortRows)},
    5,
    1 << 15,
    {25, 1 << 30},
    pack_groups};

}  // namespace lowbit::runtime

#endif
