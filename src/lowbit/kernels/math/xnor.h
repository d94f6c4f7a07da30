// XNOR-Net: https://arxiv.org/abs/1603.05279, with the learned factor of XNOR++
// (https://arxiv.org/abs/1909.13863) and the gradient of Bi-Real Net
// (https://arxiv.org/abs/1808.00278).
//
// x: any real number.  E: the mean of |x| over the elements that share it, or 1.  gamma: a learned
// number for each E, or 1.  sign(0) = +1.
//
//   y_i = gamma sign(x_i) E
//
// With upstream gradients g_i; neither E nor sign takes part in the gradient of x, a mask stands
// for both:
//
//   dx_i   = gamma g_i mask(x_i)        mask   none      1
//                                              STE       1 where |x| < 1, else 0
//                                              triangle  2 - 2 |x| where |x| < 1, else 0
//   dgamma = E sum_i g_i sign(x_i)
#pragma once

#include <cstdint>

#include "lowbit/kernels/math/scalar.h"

namespace lowbit::kernels {

// NaN stays NaN.
template <class T>
LOWBIT_HOST_DEVICE T with_sign_of(T x, T magnitude) {
  return x < 0 ? -magnitude : x >= 0 ? magnitude : x;
}

// E, of the sum of |x| over `length` elements.
template <class T>
LOWBIT_HOST_DEVICE T xnor_mean(double sum, std::int64_t length) {
  return static_cast<T>(sum / static_cast<double>(length));
}

// The three masks; of NaN, STE and triangle are 0.
template <class T>
struct XnorIdentityMask {
  static LOWBIT_HOST_DEVICE T of(T) { return 1; }
};

template <class T>
struct XnorSteMask {
  static LOWBIT_HOST_DEVICE T of(T x) { return absolute(x) < 1 ? T(1) : T(0); }
};

template <class T>
struct XnorTriangleMask {
  static LOWBIT_HOST_DEVICE T of(T x) { return absolute(x) < 1 ? 2 - 2 * absolute(x) : T(0); }
};

template <class T>
LOWBIT_HOST_DEVICE T xnor_value(T x, T mean, T gamma) {
  return with_sign_of(x, gamma * mean);
}

template <class Mask, class T>
LOWBIT_HOST_DEVICE T xnor_gradient(T x, T upstream, T gamma) {
  return gamma * upstream * Mask::of(x);
}

// What gamma's gradient needs of the elements that share E, gathered element by element and part by
// part.
struct XnorStatistics {
  double magnitude = 0;  // sum of |x|
  double dot = 0;        // sum of g sign(x)

  template <class T>
  LOWBIT_HOST_DEVICE void add(T x, T upstream) {
    magnitude += static_cast<double>(absolute(x));
    dot += static_cast<double>(with_sign_of(x, upstream));
  }
  LOWBIT_HOST_DEVICE void add(const XnorStatistics& other) {
    magnitude += other.magnitude;
    dot += other.dot;
  }

  LOWBIT_HOST_DEVICE double gamma_gradient(std::int64_t length) const {
    return xnor_mean<double>(magnitude, length) * dot;
  }
};

}  // namespace lowbit::kernels
