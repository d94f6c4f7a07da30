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

}  // namespace
}  // namespace lowbit::runtime
