// Batch normalization in training, https://arxiv.org/abs/1502.03167, of one channel.
//
// x: n > 1 numbers.
//
//   mean = sum x_i / n      var = sum (x_i - mean)^2 / n      invstd = 1 / sqrt(var + eps)
//   y_i = (x_i - mean) (weight invstd) + bias, the product and the sum in one rounding
//
// With upstream gradients g_i:
//   dbias = sum g_i         dweight = invstd sum g_i (x_i - mean)
//   dx_i = (g_i - dbias / n - (x_i - mean) dweight invstd / n) (weight invstd)
//
// Running statistics move by `momentum` toward the mean and the variance estimated with n - 1.
#pragma once

#include <cmath>
#include <cstdint>

#include "lowbit/kernels/math/host_device.h"

namespace lowbit::kernels {

// From the sums of d = x - shift and of d^2; shift: an element, so that the difference below keeps
// its precision where the mean is large.
struct BatchNormMoments {
  double mean, var;

  LOWBIT_HOST_DEVICE BatchNormMoments(double sum, double squares, double shift, std::int64_t n)
      : mean(shift + sum / static_cast<double>(n)) {
    const double rest = squares - sum * sum / static_cast<double>(n);
    // Rounding may leave less than nothing; NaN stays.
    var = (rest < 0 ? 0 : rest) / static_cast<double>(n);
  }

  LOWBIT_HOST_DEVICE double invstd(double eps) const { return 1 / ::sqrt(var + eps); }
  LOWBIT_HOST_DEVICE double estimated_var(std::int64_t n) const {
    return var * (static_cast<double>(n) / static_cast<double>(n - 1));
  }
};

LOWBIT_HOST_DEVICE inline double moved(double running, double value, double momentum) {
  return (1 - momentum) * running + momentum * value;
}

template <class T>
struct BatchNormChannel {
  T mean, scale, bias;  // scale: weight invstd

  LOWBIT_HOST_DEVICE T value(T x) const { return ::fma(x - mean, scale, bias); }
};

template <class T>
struct BatchNormGradient {
  T mean, scale, mean_grad, slope;  // mean_grad: dbias / n; slope: dweight invstd / n

  static LOWBIT_HOST_DEVICE BatchNormGradient of(T mean, T invstd, T weight, T grad_weight,
                                                 T grad_bias, T n) {
    return {mean, weight * invstd, grad_bias / n, grad_weight * invstd / n};
  }

  LOWBIT_HOST_DEVICE T gradient(T x, T upstream) const {
    return (upstream - mean_grad - (x - mean) * slope) * scale;
  }
};

}  // namespace lowbit::kernels
