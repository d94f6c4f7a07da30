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
#include "lowbit/kernels/math/formula.h"
#include "lowbit/kernels/math/scalar.h"

namespace lowbit::kernels {

// NaN stays NaN.
template <class T>
LOWBIT_HOST_DEVICE T rectified(T x) {
  return T(0) > x ? T(0) : x;
}

template <class T>
struct Pact {
  static constexpr bool kLearns = true;
  Divisor<T> clip;   // c
  Divisor<T> steps;  // n

  LOWBIT_HOST_DEVICE Pact(const FormulaArguments& arguments, std::int64_t group)
      : clip(clip_of<T>(arguments, group)), steps(levels_of<T>(arguments) - 1) {}

  LOWBIT_HOST_DEVICE T code(T x) const {
    const T r = rectified(x);
    return dorefa_code(clip <= r ? T(clip) : r, steps, clip);
  }
  LOWBIT_HOST_DEVICE T level(T code) const { return dorefa_level(code, steps, clip); }

  // If x or clip is NaN, so is the term of clip.
  LOWBIT_HOST_DEVICE FormulaGradient<T> gradient(T x, T upstream) const {
    const T r = rectified(x), c = clip;
    const T not_a_number = x + c;
    return {r < c && 0 <= x ? upstream : T(0), c <= r ? upstream : r < c ? T(0) : not_a_number};
  }
  LOWBIT_HOST_DEVICE double clip_gradient(double sum) const { return sum; }

  T lowest() const { return 0; }
  T highest() const { return steps; }
  T edge(T code) const { return (code - T(0.5)) * clip / steps; }
  template <class Real>
  Real scale(const Real& clip_val) const {
    return clip_val / double{steps};
  }
};

}  // namespace lowbit::kernels
