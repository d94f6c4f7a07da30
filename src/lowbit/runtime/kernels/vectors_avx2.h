// Included by the files that are compiled for AVX2, hence no linkage.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace lowbit::runtime {
namespace {

// out[i] = scale * sums[i] + base[i] for the first `channels` of 8; channels <= 0: none.
inline void store_scaled(__m256i sums, int32_t scale, const int32_t* base, int32_t* out,
                         int channels) {
  const __m256i result =
      _mm256_add_epi32(_mm256_mullo_epi32(sums, _mm256_set1_epi32(scale)),
                       _mm256_loadu_si256(reinterpret_cast<const __m256i*>(base)));
  if (channels >= 8) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), result);
    return;
  }
  if (channels <= 0) return;
  // Not by a masked store, which is slow on some machines.
  alignas(32) int32_t some[8];
  _mm256_store_si256(reinterpret_cast<__m256i*>(some), result);
  for (int i = 0; i < channels; ++i) out[i] = some[i];
}

}  // namespace
}  // namespace lowbit::runtime
