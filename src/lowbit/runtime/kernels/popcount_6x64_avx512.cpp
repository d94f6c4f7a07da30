#if defined(__AVX512VPOPCNTDQ__)

#include "lowbit/runtime/kernels/code_bits.h"
#include "lowbit/runtime/kernels/dot_tile.h"
#include "lowbit/runtime/kernels/isa_tiles.h"
#include "lowbit/runtime/kernels/vectors_avx512.h"

namespace lowbit::runtime {
namespace {

struct Bits {
  using Sums = __m512i;
  using Wide = Sums;
  using Factors = __m512i;
  using Input = __m512i;
  static constexpr bool narrow = false;
  static constexpr int lanes = 16, weight_bytes = 64;

  static Sums zero() { return _mm512_setzero_si512(); }
  static Wide wide_zero() { return zero(); }
  static Input broadcast(const uint8_t* input) {
    int32_t bits;
    __builtin_memcpy(&bits, input, sizeof bits);
    return _mm512_set1_epi32(bits);
  }
  static Factors load_weights(const uint8_t* from) { return _mm512_load_si512(from); }
  static Sums multiply_add(Sums sum, Input input, Factors factor) {
    return _mm512_add_epi32(sum, _mm512_popcnt_epi32(_mm512_xor_si512(input, factor)));
  }
  static Sums add_widened(Wide, Sums sum) { return sum; }
  static void store(Sums sums, int32_t scale, const int32_t* base, int32_t* out, int) {
    store_scaled(sums, scale, base, out);
  }

  static uint32_t bits(const uint8_t* codes) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes));
    return _cvtmask32_u32(_mm256_test_epi8_mask(bytes, bytes));
  }
};

}  // namespace

const PopcountSet& popcount_avx512() {
  static constexpr PopcountSet set = {
      {"popcount_6x64_avx512", 6, 4, Bits::lanes, LOWBIT_TILES_4X6(dot_tile, Bits)},
      false,
      pack_code_bits<Bits>};
  return set;
}

}  // namespace lowbit::runtime

#endif
