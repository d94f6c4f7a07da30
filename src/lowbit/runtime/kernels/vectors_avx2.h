// Included by the files that are compiled for AVX2, hence no linkage.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace lowbit::runtime {
namespace {

// out[i] = scale * sums[i] + base[i] for all 8.
inline void store_scaled(__m256i sums, int32_t scale, const int32_t* base, int32_t* out) {
  const __m256i result =
      _mm256_add_epi32(_mm256_mullo_epi32(sums, _mm256_set1_epi32(scale)),
                       _mm256_loadu_si256(reinterpret_cast<const __m256i*>(base)));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), result);
}

// What the tiles of four bytes a step have in common (dot_tile.h): sums of 32 bits of 8 channels.
struct FourByteSteps {
  using Vector = __m256i;
  using Sums = Vector;
  using Wide = Vector;
  using Factors = Vector;
  using Input = Vector;
  static constexpr int lanes = 8, weight_bytes = 32;

  static Vector zero() { return _mm256_setzero_si256(); }
  static Vector wide_zero() { return zero(); }
  static Vector broadcast(const uint8_t* input) {
    int32_t four;
    __builtin_memcpy(&four, input, sizeof four);
    return _mm256_set1_epi32(four);
  }
  static Vector load_weights(const uint8_t* from) {
    return _mm256_load_si256(reinterpret_cast<const Vector*>(from));
  }
  static void store(Vector sums, int32_t scale, const int32_t* base, int32_t* out) {
    store_scaled(sums, scale, base, out);
  }
};

}  // namespace
}  // namespace lowbit::runtime
