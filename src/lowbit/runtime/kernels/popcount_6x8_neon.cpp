#if defined(__aarch64__)

#include "lowbit/runtime/kernels/code_bits.h"
#include "lowbit/runtime/kernels/dot_tile.h"
#include "lowbit/runtime/kernels/neon.h"
#include "lowbit/runtime/kernels/tile_sizes.h"
#include "lowbit/runtime/kernels/vectors_neon.h"

namespace lowbit::runtime {
namespace {

// The bits of each byte are counted, and added in bytes.
struct Bits {
  using Sums = uint8x16_t;
  using Wide = uint32x4_t;
  using Factors = uint8x16_t;
  using Input = uint8x16_t;
  static constexpr bool narrow = true;
  static constexpr int lanes = 4, weight_bytes = 16;

  static Sums zero() { return vdupq_n_u8(0); }
  static Wide wide_zero() { return vdupq_n_u32(0); }
  static Input broadcast(const uint8_t* input) { return vreinterpretq_u8_s32(repeated(input)); }
  static Factors load_weights(const uint8_t* from) { return vld1q_u8(from); }
  static Sums multiply_add(Sums sum, Input input, Factors factor) {
    return vaddq_u8(sum, vcntq_u8(veorq_u8(input, factor)));
  }
  static Wide add_widened(Wide wide, Sums sum) { return vpadalq_u16(wide, vpaddlq_u8(sum)); }
  static void store(Wide sums, int32_t scale, const int32_t* base, int32_t* out) {
    store_scaled(vreinterpretq_s32_u32(sums), scale, base, out);
  }

  // Each byte, 0 or 1, is shifted to its place among the eight that are then added up.
  static uint32_t bits(const uint8_t* codes) {
    const int8x16_t places = vreinterpretq_s8_u64(vdupq_n_u64(0x0706050403020100));
    const uint8x16_t low = vshlq_u8(vld1q_u8(codes), places);
    const uint8x16_t high = vshlq_u8(vld1q_u8(codes + 16), places);
    const uint8x16_t pairs = vpaddq_u8(low, high);
    const uint8x16_t fours = vpaddq_u8(pairs, pairs);
    return vgetq_lane_u32(vreinterpretq_u32_u8(vpaddq_u8(fours, fours)), 0);
  }
};

}  // namespace

constexpr PopcountSet neon::kPopcount = {
    {"popcount_6x8_neon", 6, 2, Bits::lanes, LOWBIT_TILES_2X6(dot_tile, Bits)},
    true,
    pack_code_bits<Bits>};

}  // namespace lowbit::runtime

#endif
