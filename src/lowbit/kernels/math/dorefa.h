// DoReFa-Net: https://arxiv.org/abs/1606.06160.
//
// x: any real number.  c > 0: boundary.  L >= 2 levels, n = L - 1.  round: half to even.  The
// gradient of grid(v) = round(v n / c) c / n is that of the identity (straight-through).
//
//   activations   y = grid(clamp(x, 0, c))              dy/dx = 1 where 0 <= x <= c, else 0
//
//   weights       t_i = tanh(x_i)    M = max |t_i| over the tensor
//                 y_i = 2 grid(t_i / (2 M) + 0.5) - 1
// With upstream gradients g_i, and as M depends on every element that reaches it:
//                 dt_i = g_i / M  -  [|t_i| = M] sign(t_i) / ties * (sum_j g_j t_j) / M^2
//                 dx_i = dt_i (1 - t_i^2)
// ties: the number of elements with |t_i| = M.
//
//   two levels    y_i = sign(x_i) mean |x|, sign(0) = +1     dy/dx = 1 (the mean is a constant)
#pragma once

#include "lowbit/kernels/math/divisor.h"
#include "lowbit/kernels/math/formula.h"
#include "lowbit/kernels/math/scalar.h"

namespace lowbit::kernels {

// grid(v) = dorefa_level(dorefa_code(v)).
template <class T>
LOWBIT_HOST_DEVICE T dorefa_code(T v, const Divisor<T>& n, const Divisor<T>& c) {
  return round_half_even(v * n / c);
}
template <class T>
LOWBIT_HOST_DEVICE T dorefa_level(T code, const Divisor<T>& n, const Divisor<T>& c) {
  return code * c / n;
}

template <class T>
struct DorefaActivation {
  static constexpr bool kLearns = false;
  Divisor<T> boundary;  // c
  Divisor<T> steps;     // n

  LOWBIT_HOST_DEVICE DorefaActivation(const FormulaArguments& arguments, std::int64_t)
      : boundary(static_cast<T>(arguments.boundary)), steps(levels_of<T>(arguments) - 1) {}

  LOWBIT_HOST_DEVICE T code(T x) const {
    return dorefa_code(clamp(x, T(0), T(boundary)), steps, boundary);
  }
  LOWBIT_HOST_DEVICE T level(T code) const { return dorefa_level(code, steps, boundary); }
  LOWBIT_HOST_DEVICE FormulaGradient<T> gradient(T x, T upstream) const {
    return {0 <= x && x <= boundary ? upstream : T(0), 0};
  }

  T lowest() const { return 0; }
  T highest() const { return steps; }
  T edge(T code) const { return (code - T(0.5)) * boundary / steps; }
  double scale() const { return double{boundary} / double{steps}; }
};

template <class T>
struct DorefaWeight {
  Divisor<T> boundary;  // c
  Divisor<T> steps;     // n
  T max_abs;            // M

  // Of t, and the value of a code.
  LOWBIT_HOST_DEVICE T code_of(T t) const {
    return dorefa_code(t / (2 * max_abs) + T(0.5), steps, boundary);
  }
  LOWBIT_HOST_DEVICE T level(T code) const { return 2 * dorefa_level(code, steps, boundary) - 1; }
  LOWBIT_HOST_DEVICE T value(T t) const { return level(code_of(t)); }

  // For the host: of x itself. No element of the tensor is beyond M.
  T code(T x) const { return clamp(code_of(hyperbolic_tangent(x)), lowest(), highest()); }
  T lowest() const { return 0; }
  T highest() const { return round_half_even(steps / boundary); }
  T edge(T code) const {
    const T t = 2 * max_abs * ((code - T(0.5)) * boundary / steps - T(0.5));
    return static_cast<T>(::atanh(static_cast<double>(t)));
  }
};

// What the weights' gradient needs of the whole tensor, gathered element by element and part by
// part.
template <class T>
struct DorefaWeightStatistics {
  T max_abs = -1;   // M; -1: no element yet
  double ties = 0;  // number of elements that reach M
  double dot = 0;   // sum of g t

  LOWBIT_HOST_DEVICE void add(T t, T upstream) {
    include_maximum(absolute(t), 1);
    dot += static_cast<double>(upstream) * static_cast<double>(t);
  }
  LOWBIT_HOST_DEVICE void add(const DorefaWeightStatistics& other) {
    include_maximum(other.max_abs, other.ties);
    dot += other.dot;
  }

 private:
  LOWBIT_HOST_DEVICE void include_maximum(T candidate, double count) {
    const T larger = nan_max(max_abs, candidate);
    ties = (max_abs == larger ? ties : 0) + (candidate == larger ? count : 0);
    max_abs = larger;
  }
};

template <class T>
struct DorefaWeightGradient {
  T max_abs;    // M
  T tie_share;  // (sum g t) / M^2 / ties

  LOWBIT_HOST_DEVICE explicit DorefaWeightGradient(const DorefaWeightStatistics<T>& all)
      : max_abs(all.max_abs),
        tie_share(
            static_cast<T>(all.dot / (static_cast<double>(all.max_abs) * all.max_abs) / all.ties)) {
  }

  LOWBIT_HOST_DEVICE T gradient(T t, T upstream) const {
    T grad_t = upstream / max_abs;
    if (absolute(t) == max_abs) grad_t -= t < 0 ? -tie_share : tie_share;
    return grad_t * (1 - t * t);
  }
};

// NaN counts as +1, but a NaN anywhere makes the mean NaN.
template <class T>
struct BinaryWeight {
  T mean_abs;

  LOWBIT_HOST_DEVICE T code(T x) const { return x < 0 ? T(0) : T(1); }
  LOWBIT_HOST_DEVICE T level(T code) const { return code == 0 ? -mean_abs : mean_abs; }
  LOWBIT_HOST_DEVICE T value(T x) const { return level(code(x)); }

  T lowest() const { return 0; }
  T highest() const { return 1; }
  T edge(T) const { return 0; }
};

}  // namespace lowbit::kernels
