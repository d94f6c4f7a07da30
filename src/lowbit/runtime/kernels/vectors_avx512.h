// Included by the files that are compiled for AVX-512, hence no linkage.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace lowbit::runtime {
namespace {

// out[i] = scale * sums[i] + base[i] for the first `channels` of 16; channels <= 0: none.
inline void store_scaled(__m512i sums, int32_t scale, const int32_t* base, int32_t* out,
                         int channels) {
  if (channels <= 0) return;
  const __mmask16 mask =
      channels >= 16 ? __mmask16{0xffff} : static_cast<__mmask16>((1u << channels) - 1);
  const __m512i result = _mm512_add_epi32(_mm512_mullo_epi32(sums, _mm512_set1_epi32(scale)),
                                          _mm512_maskz_loadu_epi32(mask, base));
  _mm512_mask_storeu_epi32(out, mask, result);
}

}  // namespace
}  // namespace lowbit::runtime
