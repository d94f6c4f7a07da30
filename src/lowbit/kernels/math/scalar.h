// Scalar functions that a formula needs on host and device with the same bits.
#pragma once

#include <cmath>

#include "lowbit/kernels/math/host_device.h"

namespace lowbit::kernels {

// Ties to the even neighbor. rint follows the rounding mode, which nothing here changes; unlike
// round and roundeven it is one instruction everywhere.
LOWBIT_HOST_DEVICE inline float round_half_even(float x) {
  return ::rintf(x);
}
LOWBIT_HOST_DEVICE inline double round_half_even(double x) {
  return ::rint(x);
}

template <class T>
LOWBIT_HOST_DEVICE bool is_nan(T x) {
  return x != x;
}

// A sum of infinities of both signs, or with a NaN, is not finite either.
template <class T>
LOWBIT_HOST_DEVICE bool is_finite(T x) {
  return x - x == 0;
}

// NaN stays NaN: neither comparison holds.
template <class T>
LOWBIT_HOST_DEVICE T clamp(T x, T low, T high) {
  const T raised = low > x ? low : x;
  return high < raised ? high : raised;
}

// The maximum of two, or NaN if one is NaN.
template <class T>
LOWBIT_HOST_DEVICE T nan_max(T a, T b) {
  return a > b || a != a ? a : b;
}

LOWBIT_HOST_DEVICE inline float absolute(float x) {
  return ::fabsf(x);
}
LOWBIT_HOST_DEVICE inline double absolute(double x) {
  return ::fabs(x);
}

// The gradient that passes |x|, 0 at 0.
template <class T>
LOWBIT_HOST_DEVICE double absolute_gradient(T x, double upstream) {
  return x < 0 ? -upstream : x > 0 ? upstream : 0 * upstream;
}

LOWBIT_HOST_DEVICE inline float hyperbolic_tangent(float x) {
  return ::tanhf(x);
}
LOWBIT_HOST_DEVICE inline double hyperbolic_tangent(double x) {
  return ::tanh(x);
}

}  // namespace lowbit::kernels
