#if defined(__AVX2__)

#include "lowbit/runtime/kernels/avx2.h"
#include "lowbit/runtime/kernels/code_bits.h"
#include "lowbit/runtime/kernels/dot_tile.h"
#include "lowbit/runtime/kernels/tile_sizes.h"
#include "lowbit/runtime/kernels/vectors_avx2.h"

namespace lowbit::runtime {
namespace {

// The bits of each half of a byte are counted by a look-up, and added in bytes.
struct Bits : FourByteSteps {
  static constexpr bool narrow = true;

  static Vector multiply_add(Vector sum, Vector input, Vector factor) {
    const __m256i counts = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1,
                                            2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i half = _mm256_set1_epi8(15);
    const __m256i differ = _mm256_xor_si256(input, factor);
    const __m256i low = _mm256_and_si256(differ, half);
    const __m256i high = _mm256_and_si256(_mm256_srli_epi16(differ, 4), half);
    sum = _mm256_add_epi8(sum, _mm256_shuffle_epi8(counts, low));
    return _mm256_add_epi8(sum, _mm256_shuffle_epi8(counts, high));
  }
  static Vector add_widened(Vector wide, Vector sum) {
    const __m256i words = _mm256_maddubs_epi16(sum, _mm256_set1_epi8(1));
    return _mm256_add_epi32(wide, _mm256_madd_epi16(words, _mm256_set1_epi16(1)));
  }

  static uint32_t bits(const uint8_t* codes) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes));
    return static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_slli_epi16(bytes, 7)));
  }
};

}  // namespace

constexpr PopcountSet avx2::kPopcount = {
    {"popcount_4x16_avx2", 4, 2, Bits::lanes, LOWBIT_TILES_2X4(dot_tile, Bits)},
    true,
    pack_code_bits<Bits>};

}  // namespace lowbit::runtime

#endif
