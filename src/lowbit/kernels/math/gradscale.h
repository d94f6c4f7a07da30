// gradscale(x, s): the value of x, its gradient times a factor.
#pragma once

#include <cmath>
#include <cstdint>

#include "lowbit/kernels/math/scalar.h"

namespace lowbit::kernels {

// The factor: s, but 1 where 1 <= s < 2. Published results rest on this exception (the original
// system compared a truncated s with 1).
LOWBIT_HOST_DEVICE inline double gradscale_factor(double s) {
  return 1 <= s && s < 2 ? 1.0 : s;
}

// STE-scale: the factor on the gradient of a clamp that leaves `inside` of `size` elements
// unchanged. By the exception above it differs from 1 only where at most a quarter is inside.
LOWBIT_HOST_DEVICE inline double ste_scale_factor(std::int64_t size, std::int64_t inside) {
  if (inside == 0) return 1;
  return gradscale_factor(::sqrt(static_cast<double>(size) / static_cast<double>(inside)));
}

}  // namespace lowbit::kernels
