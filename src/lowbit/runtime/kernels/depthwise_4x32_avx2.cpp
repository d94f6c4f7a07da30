#if defined(__AVX2__)

#include "lowbit/runtime/kernels/avx2.h"
#include "lowbit/runtime/kernels/depthwise_tile.h"
#include "lowbit/runtime/kernels/tile_sizes.h"
#include "lowbit/runtime/kernels/vectors_avx2.h"

namespace lowbit::runtime {
namespace {

// Bytes of two taps are interleaved, multiplied with as many weights and the two products of a
// channel added. Instructions do that by halves of a vector: `even` has channels 0 to 7 and 16 to
// 23, `odd` the others.
struct Channels {
  struct Words {
    __m256i even, odd;
  };
  using Factors = Words;
  struct Wide {
    __m256i eights[4];
  };
  static constexpr int lanes = 32, weight_bytes = 2 * lanes;

  static Words zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  static Wide wide_zero() {
    const __m256i zero = _mm256_setzero_si256();
    return {{zero, zero, zero, zero}};
  }
  static __m256i load(const uint8_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  static Factors load_weights(const uint8_t* from) {
    const __m256i low = load(from), high = load(from + lanes);
    return {_mm256_permute2x128_si256(low, high, 0x20), _mm256_permute2x128_si256(low, high, 0x31)};
  }
  static Words multiply_add(const Words& sum, const uint8_t* input, ptrdiff_t second,
                            const Factors& factors) {
    const __m256i a = load(input), b = load(input + second);
    const __m256i even = _mm256_maddubs_epi16(_mm256_unpacklo_epi8(a, b), factors.even);
    const __m256i odd = _mm256_maddubs_epi16(_mm256_unpackhi_epi8(a, b), factors.odd);
    return {_mm256_add_epi16(sum.even, even), _mm256_add_epi16(sum.odd, odd)};
  }
  static Wide add_widened(const Wide& wide, const Words& sum) {
    const auto add = [&](int eight, __m128i words) {
      return _mm256_add_epi32(wide.eights[eight], _mm256_cvtepi16_epi32(words));
    };
    return {{add(0, _mm256_castsi256_si128(sum.even)), add(1, _mm256_castsi256_si128(sum.odd)),
             add(2, _mm256_extracti128_si256(sum.even, 1)),
             add(3, _mm256_extracti128_si256(sum.odd, 1))}};
  }
  static void store(const Wide& sums, int32_t scale, const int32_t* base, int32_t* out) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) store_scaled(sums.eights[i], scale, base + 8 * i, out + 8 * i);
  }
};

}  // namespace

constexpr DepthwiseSet avx2::kDepthwise = {
    {"depthwise_4x32_avx2",
     4,
     1,
     Channels::lanes,
     {{depthwise_tile<Channels, 1, 1>, depthwise_tile<Channels, 2, 1>,
       depthwise_tile<Channels, 3, 1>, depthwise_tile<Channels, 4, 1>}}},
    2};

}  // namespace lowbit::runtime

#endif
