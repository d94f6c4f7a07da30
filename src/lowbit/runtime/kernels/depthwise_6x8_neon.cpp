#if defined(__aarch64__)

#include "lowbit/runtime/kernels/depthwise_tile.h"
#include "lowbit/runtime/kernels/neon.h"
#include "lowbit/runtime/kernels/tile_sizes.h"
#include "lowbit/runtime/kernels/vectors_neon.h"

namespace lowbit::runtime {
namespace {

struct Channels {
  using Words = int16x8_t;
  using Factors = Words;
  using Wide = Halves<int32x4_t>;
  static constexpr int lanes = 8, weight_bytes = 16;

  static Words zero() { return vdupq_n_s16(0); }
  static Wide wide_zero() { return {vdupq_n_s32(0), vdupq_n_s32(0)}; }
  static Words load_weights(const uint8_t* from) { return vreinterpretq_s16_u8(vld1q_u8(from)); }
  static Words multiply_add(Words sum, const uint8_t* input, ptrdiff_t, Factors factors) {
    return vmlaq_s16(sum, vreinterpretq_s16_u16(vmovl_u8(vld1_u8(input))), factors);
  }
  static Wide add_widened(const Wide& wide, Words sum) {
    return {vaddw_s16(wide.low, vget_low_s16(sum)), vaddw_high_s16(wide.high, sum)};
  }
  static void store(const Wide& sums, int32_t scale, const int32_t* base, int32_t* out) {
    store_scaled(sums.low, scale, base, out);
    store_scaled(sums.high, scale, base + 4, out + 4);
  }
};

}  // namespace

constexpr DepthwiseSet neon::kDepthwise = {
    {"depthwise_6x8_neon", 6, 1, Channels::lanes, LOWBIT_TILES_1X6(depthwise_tile, Channels)}, 1};

}  // namespace lowbit::runtime

#endif
