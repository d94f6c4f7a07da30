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

}  // namespace
}  // namespace lowbit::runtime
