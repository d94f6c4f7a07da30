// Included by the files that are compiled for NEON, hence no linkage.
#pragma once

#include <arm_neon.h>

#include <cstdint>

namespace lowbit::runtime {
namespace {

// out[i] = scale * sums[i] + base[i] for the first `channels` of 4; channels <= 0: none.
inline void store_scaled(int32x4_t sums, int32_t scale, const int32_t* base, int32_t* out,
                         int channels) {
  const int32x4_t result = vmlaq_n_s32(vld1q_s32(base), sums, scale);
  if (channels >= 4) {
    vst1q_s32(out, result);
    return;
  }
  if (channels <= 0) return;
  // Not by a loop: compilers make a call of memcpy of it.
  int32x2_t rest = vget_low_s32(result);
  if (channels & 2) {
    vst1_s32(out, rest);
    rest = vget_high_s32(result);
    out += 2;
  }
  if (channels & 1) vst1_lane_s32(out, rest, 0);
}

// Sums of 16 or of 32 bits of the channels of a vector, of 8 or 4 of them each.
template <class Half>
struct Halves {
  Half low, high;
};

// The four bytes again and again.
inline int32x4_t repeated(const uint8_t* input) {
  int32_t four;
  __builtin_memcpy(&four, input, sizeof four);
  return vdupq_n_s32(four);
}

}  // namespace
}  // namespace lowbit::runtime
