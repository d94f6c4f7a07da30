#if defined(__ARM_FEATURE_DOTPROD)

#include "lowbit/runtime/kernels/dot_tile.h"
#include "lowbit/runtime/kernels/neon.h"
#include "lowbit/runtime/kernels/tile_sizes.h"
#include "lowbit/runtime/kernels/vectors_neon.h"

namespace lowbit::runtime {
namespace {

// s8 x s8, four products at once to a sum of 32 bits: exact for everything of 8 bits.
struct Bytes {
  using Sums = int32x4_t;
  using Wide = Sums;
  using Factors = int8x16_t;
  using Input = int8x8_t;
  static constexpr bool narrow = false;
  static constexpr int lanes = 4, weight_bytes = 16;

  static Sums zero() { return vdupq_n_s32(0); }
  static Wide wide_zero() { return zero(); }
  // Into the first lane alone, from which the instruction takes them for all channels: that is a
  // plain load.
  static Input broadcast(const uint8_t* input) {
    uint32_t four;
    __builtin_memcpy(&four, input, sizeof four);
    return vcreate_s8(four);
  }
  static Factors load_weights(const uint8_t* from) { return vreinterpretq_s8_u8(vld1q_u8(from)); }
  static Sums multiply_add(Sums sum, Input input, Factors factors) {
    return vdotq_lane_s32(sum, factors, input, 0);
  }
  static Wide add_widened(Wide, Sums sum) { return sum; }
  static void store(Sums sums, int32_t scale, const int32_t* base, int32_t* out) {
    store_scaled(sums, scale, base, out);
  }
};

}  // namespace

constexpr DotSet neon::kDot8DotProducts = {
    .tiles = {"sdot_6x16_dotprod", 6, 4, Bytes::lanes, LOWBIT_TILES_4X6(dot_tile, Bytes)},
    .signed_input = true,
    .products = 0,
    .fewest_steps = 1};

}  // namespace lowbit::runtime

#endif
