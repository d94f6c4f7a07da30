// Included by the files that are compiled for NEON, hence no linkage.
#pragma once

#include <arm_neon.h>

#include <cstdint>

namespace lowbit::runtime {
namespace {

// out[i] = scale * sums[i] + base[i] for all 4.
inline void store_scaled(int32x4_t sums, int32_t scale, const int32_t* base, int32_t* out) {
  vst1q_s32(out, vmlaq_n_s32(vld1q_s32(base), sums, scale));
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
