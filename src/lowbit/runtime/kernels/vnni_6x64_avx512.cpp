#if defined(__AVX512VNNI__)

#include "lowbit/runtime/kernels/dot_tile.h"
#include "lowbit/runtime/kernels/isa_tiles.h"
#include "lowbit/runtime/kernels/vectors_avx512.h"

namespace lowbit::runtime {
namespace {

// u8 x s8, four products at once to a sum of 32 bits: exact for everything of 8 bits.
struct Bytes {
  using Sums = __m512i;
  using Wide = Sums;
  using Factors = __m512i;
  using Input = __m512i;
  static constexpr bool narrow = false;
  static constexpr int lanes = 16, weight_bytes = 64;

  static Sums zero() { return _mm512_setzero_si512(); }
  static Wide wide_zero() { return zero(); }
  static Input broadcast(const uint8_t* input) {
    int32_t four;
    __builtin_memcpy(&four, input, sizeof four);
    return _mm512_set1_epi32(four);
  }
  static Factors load_weights(const uint8_t* from) { return _mm512_load_si512(from); }
  static Sums multiply_add(Sums sum, Input input, Factors factor) {
    return _mm512_dpbusd_epi32(sum, input, factor);
  }
  static Sums add_widened(Sums, Sums sum) { return sum; }
  static void store(Sums sums, int32_t scale, const int32_t* base, int32_t* out, int) {
    store_scaled(sums, scale, base, out);
  }
};

}  // namespace

const DotSet& dot8_avx512() {
  static constexpr DotSet set = {
      .tiles = {"vnni_6x64_avx512", 6, 4, Bytes::lanes, LOWBIT_TILES_4X6(dot_tile, Bytes)},
      .signed_input = false,
      .products = 0,
      .fewest_steps = 1};
  return set;
}

}  // namespace lowbit::runtime

#endif
