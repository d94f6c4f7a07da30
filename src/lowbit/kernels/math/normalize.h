// Normalization of weights: each group less its mean, divided by its standard deviation.
//
// x: any real numbers, n of them in the group.
//
//   mean = sum x_i / n        std = sqrt(sum (x_i - mean)^2 / (n - 1))
//   normalize  y_i = (x_i - mean) / std        dx_i = g_i / std
//   restore    y_i = x_i std + mean            dx_i = g_i std
//
// g: upstream gradients; mean and std are constants to them. There is no epsilon: a group whose
// elements are all equal has std = 0 and becomes NaN, as does a group of one.
#pragma once

#include <cmath>
#include <cstdint>

#include "lowbit/kernels/math/host_device.h"

namespace lowbit::kernels {

// Sums over a group of d = x - shift, gathered element by element and part by part. shift: an
// element of the group. Small beside std, d and with it the difference
//   sum (x_i - mean)^2 = sum d_i^2 - (sum d_i)^2 / n
// keep their precision where the mean is large, and equal elements give 0 exactly.
struct NormalizeStatistics {
  double sum = 0;      // of d
  double squares = 0;  // of d^2

  LOWBIT_HOST_DEVICE void add(double d) {
    sum += d;
    squares += d * d;
  }
  LOWBIT_HOST_DEVICE void add(const NormalizeStatistics& other) {
    sum += other.sum;
    squares += other.squares;
  }

  LOWBIT_HOST_DEVICE double mean(double shift, std::int64_t n) const {
    return shift + sum / static_cast<double>(n);
  }
  LOWBIT_HOST_DEVICE double deviation(std::int64_t n) const {
    const double rest = squares - sum * sum / static_cast<double>(n);
    // Rounding may leave less than nothing; NaN stays.
    return ::sqrt((rest < 0 ? 0 : rest) / static_cast<double>(n - 1));
  }
};

template <class T>
struct Normalization {
  T mean, std;

  LOWBIT_HOST_DEVICE T normalize(T x) const { return (x - mean) / std; }
  LOWBIT_HOST_DEVICE T restore(T x) const { return x * std + mean; }
};

template <class T>
LOWBIT_HOST_DEVICE T normalize_gradient(T upstream, T std) {
  return upstream / std;
}

template <class T>
LOWBIT_HOST_DEVICE T restore_gradient(T upstream, T std) {
  return upstream * std;
}

}  // namespace lowbit::kernels
