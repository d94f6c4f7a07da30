// Included by the files that are compiled for AVX-512, hence no linkage.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace lowbit::runtime {
namespace {

// out[i] = scale * sums[i] + base[i] for all 16.
inline void store_scaled(__m512i sums, int32_t scale, const int32_t* base, int32_t* out) {
  _mm512_storeu_si512(out, _mm512_add_epi32(_mm512_mullo_epi32(sums, _mm512_set1_epi32(scale)),
                                            _mm512_loadu_si512(base)));
}

// What the tiles of four bytes a step have in common (dot_tile.h): sums of 32 bits of 16 channels.
struct FourByteSteps {
  using Vector = __m512i;
  using Sums = Vector;
  using Wide = Vector;
  using Factors = Vector;
  using Input = Vector;
  static constexpr bool narrow = false;
  static constexpr int lanes = 16, weight_bytes = 64;

  static Vector zero() { return _mm512_setzero_si512(); }
  static Vector wide_zero() { return zero(); }
  static Vector broadcast(const uint8_t* input) {
    int32_t four;
    __builtin_memcpy(&four, input, sizeof four);
    return _mm512_set1_epi32(four);
  }
  static Vector load_weights(const uint8_t* from) { return _mm512_load_si512(from); }
  static Vector add_widened(Vector, Vector sum) { return sum; }
  static void store(Vector sums, int32_t scale, const int32_t* base, int32_t* out) {
    store_scaled(sums, scale, base, out);
  }
};

}  // namespace
}  // namespace lowbit::runtime
