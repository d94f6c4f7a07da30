// LSQ: learned step size quantization, https://arxiv.org/abs/1902.08153, the learned number being
// the clip value c instead of the step c / n.
//
// x: any real number.  c = |clip_val| > 0, one per group.  L >= 2 levels, n = L - 1.
// round: half to even.  Its gradient, and that of the grid around it, is that of the identity
// (straight-through).
//
//   v = x / c
//   half range       w = clamp(v,  0, 1)    q = round(w n) / n                   y = q c
//   full range       w = clamp(v, -1, 1)    q = 2 (round((w + 1)/2 n) / n) - 1   y = q c
//   symmetric        w = clamp(v, -1, 1)    q = round(w m) / m, m = L/2 - 1      y = q c
//
// The operations are made in this order, each rounded: whether a sum of such values cancels to +0
// or -0, and with it the mask of a ReLU behind it, depends on it.
//
//   dy/dx = k where v is inside, else 0     (inside: low <= v <= 1, the ends included)
//   dy/dc = q - k v where v is inside, else q
// with k = 1, or the STE-scale factor of the whole tensor (math/gradscale.h).
#pragma once

#include "lowbit/kernels/math/divisor.h"
#include "lowbit/kernels/math/formula.h"
#include "lowbit/kernels/math/scalar.h"

namespace lowbit::kernels {

// The three grids on the normalized axis: the low end, the number of steps, and q of w by its code,
// a whole number.
template <class T>
struct LsqHalfGrid {
  static constexpr T kLow = 0;
  static LOWBIT_HOST_DEVICE T steps(T level_num) { return level_num - 1; }
  static LOWBIT_HOST_DEVICE T code(T w, const Divisor<T>& n) { return round_half_even(w * n); }
  static LOWBIT_HOST_DEVICE T level(T code, const Divisor<T>& n) { return code / n; }
};

template <class T>
struct LsqFullGrid {
  static constexpr T kLow = -1;
  static LOWBIT_HOST_DEVICE T steps(T level_num) { return level_num - 1; }
  static LOWBIT_HOST_DEVICE T code(T w, const Divisor<T>& n) {
    const T u = (w + 1) / 2;
    return round_half_even(u * n);
  }
  static LOWBIT_HOST_DEVICE T level(T code, const Divisor<T>& n) { return 2 * (code / n) - 1; }
};

template <class T>
struct LsqSymmetricGrid {
  static constexpr T kLow = -1;
  static LOWBIT_HOST_DEVICE T steps(T level_num) { return level_num / 2 - 1; }
  static LOWBIT_HOST_DEVICE T code(T w, const Divisor<T>& m) { return round_half_even(w * m); }
  static LOWBIT_HOST_DEVICE T level(T code, const Divisor<T>& m) { return code / m; }
};

template <class Grid, class T>
struct Lsq {
  Divisor<T> clip;   // c
  Divisor<T> steps;  // n or m

  LOWBIT_HOST_DEVICE Lsq(T clip_val, T level_num)
      : clip(absolute(clip_val)), steps(Grid::steps(level_num)) {}

  LOWBIT_HOST_DEVICE T code(T x) const { return code_of(x / clip); }
  LOWBIT_HOST_DEVICE T level(T code) const { return Grid::level(code, steps) * clip; }
  LOWBIT_HOST_DEVICE T value(T x) const { return level(code(x)); }

  // An element counts as inside where the clamp leaves it as it is.
  LOWBIT_HOST_DEVICE bool inside(T x) const { return is_inside(x / clip); }

  // clamp_scale: k.
  LOWBIT_HOST_DEVICE FormulaGradient<T> gradient(T x, T upstream, T clamp_scale) const {
    const T v = x / clip;
    const T q = Grid::level(code_of(v), steps);
    const bool passes = is_inside(v);
    return {passes ? upstream * clamp_scale : T(0), upstream * (passes ? q - clamp_scale * v : q)};
  }

  // For the host: the codes that there are, and where one begins, but for roundings.
  T lowest() const { return code_of(Grid::kLow); }
  T highest() const { return code_of(T(1)); }
  T edge(T code) const { return Grid::level(code - T(0.5), steps) * clip; }

 private:
  LOWBIT_HOST_DEVICE T code_of(T v) const { return Grid::code(clamp(v, Grid::kLow, T(1)), steps); }
  LOWBIT_HOST_DEVICE bool is_inside(T v) const { return Grid::kLow <= v && v <= 1; }
};

// The gradient that reaches clip_val: through |.| (0 at 0) and gradscale. sum: of
// FormulaGradient::clip over the group; factor: of gradscale.
template <class T>
LOWBIT_HOST_DEVICE inline double lsq_clip_gradient(double sum, T clip_val, double factor) {
  return absolute_gradient(clip_val, sum * factor);
}

}  // namespace lowbit::kernels
