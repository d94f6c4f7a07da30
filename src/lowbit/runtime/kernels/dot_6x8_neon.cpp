#if defined(__aarch64__)

#include "lowbit/runtime/kernels/dot_tile.h"
#include "lowbit/runtime/kernels/neon.h"
#include "lowbit/runtime/kernels/tile_sizes.h"
#include "lowbit/runtime/kernels/vectors_neon.h"

namespace lowbit::runtime {
namespace {

struct Channels {
  using Wide = int32x4_t;
  static constexpr int lanes = 4;

  static Wide wide_zero() { return vdupq_n_s32(0); }
  static void store(Wide sums, int32_t scale, const int32_t* base, int32_t* out) {
    store_scaled(sums, scale, base, out);
  }
};

// s8 x s8, one product to a sum of 16 bits, four sums to a channel.
struct Bytes : Channels {
  using Sums = Halves<int16x8_t>;
  using Factors = int8x16_t;
  using Input = int8x16_t;
  static constexpr bool narrow = true;
  static constexpr int weight_bytes = 16;

  static Sums zero() { return {vdupq_n_s16(0), vdupq_n_s16(0)}; }
  static Input broadcast(const uint8_t* input) { return vreinterpretq_s8_s32(repeated(input)); }
  static Factors load_weights(const uint8_t* from) { return vreinterpretq_s8_u8(vld1q_u8(from)); }
  static Sums multiply_add(const Sums& sum, Input input, Factors factors) {
    return {vmlal_s8(sum.low, vget_low_s8(input), vget_low_s8(factors)),
            vmlal_high_s8(sum.high, input, factors)};
  }
  static Wide add_widened(Wide wide, const Sums& sum) {
    return vaddq_s32(wide, vpaddq_s32(vpaddlq_s16(sum.low), vpaddlq_s16(sum.high)));
  }
};

// s16 x s8, in sums of 32 bits, two to a channel: exact for everything of 8 bits.
struct Words : Channels {
  using Sums = Halves<int32x4_t>;
  using Factors = int16x8_t;
  using Input = int16x8_t;
  static constexpr bool narrow = false;
  static constexpr int weight_bytes = 8;

  static Sums zero() { return {vdupq_n_s32(0), vdupq_n_s32(0)}; }
  static Input broadcast(const uint8_t* input) { return vreinterpretq_s16_s32(repeated(input)); }
  static Factors load_weights(const uint8_t* from) {
    return vmovl_s8(vreinterpret_s8_u8(vld1_u8(from)));
  }
  static Sums multiply_add(const Sums& sum, Input input, Factors factors) {
    return {vmlal_s16(sum.low, vget_low_s16(input), vget_low_s16(factors)),
            vmlal_high_s16(sum.high, input, factors)};
  }
  static Wide add_widened(Wide, const Sums& sum) { return vpaddq_s32(sum.low, sum.high); }
};

}  // namespace

constexpr DotSet neon::kDot8 = {
    .tiles = {"dot8_6x8_neon", 6, 2, Bytes::lanes, LOWBIT_TILES_2X6(dot_tile, Bytes)},
    .signed_input = true,
    .products = 1,
    // Adding up takes about as long as four steps, of which each is two more instructions in
    // 16-bit integers.
    .fewest_steps = 4};

constexpr TileSet neon::kDot16 = {"dot16_6x8_neon", 6, 2, Words::lanes,
                                  LOWBIT_TILES_2X6(dot_tile, Words)};

}  // namespace lowbit::runtime

#endif
