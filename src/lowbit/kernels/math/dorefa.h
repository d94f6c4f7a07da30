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
#include "lowbit/kernels/math/scalar.h"

namespace lowbit::kernels {

template <class T>
LOWBIT_HOST_DEVICE T dorefa_grid(T v, const Divisor<T>& n, const Divisor<T>& c) {
  return round_half_even(v * n / c) * c / n;
}

template <class T>
struct DorefaActivation {
  Divisor<T> boundary;  // c
  Divisor<T> steps;     // n

  LOWBIT_HOST_DEVICE T value(T x) const {
    return dorefa_grid(clamp(x, T(0), T(boundary)), steps, boundary);
  }
};

template <class T>
LOWBIT_HOST_DEVICE T dorefa_activation_gradient(T x, T upstream, T boundary) {
  return 0 <= x && x <= boundary ? upstream : T(0);
}

template <class T>
struct DorefaWeight {
  Divisor<T> boundary;  // c
  Divisor<T> steps;     // n
  T max_abs;            // M

  LOWBIT_HOST_DEVICE T value(T t) const {
    return 2 * dorefa_grid(t / (2 * max_abs) + T(0.5), steps, boundary) - 1;
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
LOWBIT_HOST_DEVICE T binary_weight(T x, T mean_abs) {
  return x < 0 ? -mean_abs : mean_abs;
}

}  // namespace lowbit::kernels
