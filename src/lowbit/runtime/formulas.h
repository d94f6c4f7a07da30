// What happens to one number: each formula of program.fbs once, for the plain executor and for the
// one that goes by rows.
#pragma once

#include <cstdint>

// Compiled into sources for several instruction sets: a copy of a function that is not inlined
// could be the one of a machine that this is not.
#define LOWBIT_INLINE [[gnu::always_inline]] inline

namespace lowbit::runtime::formulas {

// A factor and a shift that leave every number as it is.
inline constexpr float kNoFactor = 1.0f;
inline constexpr float kNoShift = -0.0f;

LOWBIT_INLINE float affine(float x, float factor, float shift) {
  return x * factor + shift;
}
// A byte of the image as the network was trained to see it.
LOWBIT_INLINE float normalized(uint8_t byte, float mean, float std) {
  return (static_cast<float>(byte) / 255 - mean) / std;
}
// Product and sum with one rounding.
LOWBIT_INLINE float plus_product(float sum, float x, float weight) {
  return __builtin_fmaf(x, weight, sum);
}
// The part of a pair of planes in what a convolution gives.
LOWBIT_INLINE float scaled(int32_t sum, float coefficient) {
  return coefficient * static_cast<float>(sum);
}

LOWBIT_INLINE float relu(float x) {
  return x > 0 ? x : 0;
}
// NaN stays one.
LOWBIT_INLINE float clamp(float x, float low, float high) {
  const float above = x < low ? low : x;
  return high < above ? high : above;
}
LOWBIT_INLINE float leaky(float x, float slope) {
  return x > 0 ? x : x * slope;
}
LOWBIT_INLINE float absolute(float x) {
  return __builtin_fabsf(x);
}
LOWBIT_INLINE float divide_root(float x, float low) {
  return 1 / __builtin_sqrtf(x + low);
}
// Where x lies on a line, from 0 to `last`; of NaN 0. Its whole part is a code (lines.h). It is
// monotone in x, whatever the roundings. Of one number or a vector.
template <class Reals>
LOWBIT_INLINE Reals place_on_line(const Reals& x, const Reals& factor, const Reals& shift,
                                  const Reals& last) {
  const Reals place = x * factor + shift, zero{};
  const Reals above = place > zero ? place : zero;
  return above < last ? above : last;
}
// What an average multiplies the sum over a window with.
LOWBIT_INLINE float average_factor(int kernel) {
  return 1 / (static_cast<float>(kernel) * static_cast<float>(kernel));
}

}  // namespace lowbit::runtime::formulas
