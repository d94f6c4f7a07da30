// PACT, parameterized clipping activation: https://arxiv.org/abs/1805.06085.
//
// x: any real number.  c = clip_val, one learned number, > 0 to be of use.  L >= 2 levels,
// n = L - 1.  grid: DoReFa's (math/dorefa.h), straight-through, in which c is a constant.
//
//   r = max(x, 0)      v = r where r < c, else c      y = grid(v)
//   dy/dx = 1 where r < c and x >= 0, else 0          dy/dc = 0 where r < c, else 1
#pragma once

#include "lowbit/kernels/math/divisor.h"
#include "lowbit/kernels/math/dorefa.h"
#include "lowbit/kernels/math/scalar.h"

namespace lowbit::kernels {

// NaN stays NaN.
template <class T>
LOWBIT_HOST_DEVICE T rectified(T x) {
  return T(0) > x ? T(0) : x;
}

template <class T>
struct PactGradient {
  T x;     // upstream * dy/dx
  T clip;  // upstream * dy/dc, this element's term of the sum
};

template <class T>
struct Pact {
  Divisor<T> clip;   // c
  Divisor<T> steps;  // n

  LOWBIT_HOST_DEVICE T value(T x) const {
    const T r = rectified(x);
    return dorefa_grid(clip <= r ? T(clip) : r, steps, clip);
  }
};

// If x or clip is NaN, so is the term of clip.
template <class T>
LOWBIT_HOST_DEVICE PactGradient<T> pact_gradient(T x, T upstream, T clip) {
  const T r = rectified(x);
  const T not_a_number = x + clip;
  return {r < clip && 0 <= x ? upstream : T(0), clip <= r  ? upstream
                                                : r < clip ? T(0)
                                                           : not_a_number};
}

}  // namespace lowbit::kernels
