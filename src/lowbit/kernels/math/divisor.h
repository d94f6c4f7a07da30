// A number that many others are divided by.
#pragma once

#include "lowbit/kernels/math/host_device.h"

namespace lowbit::kernels {

// Stands in place of the number in a formula. On a GPU a division of float32 numbers is thirty
// instructions and a branch, and quantizers, which do little else, were bound by it instead of by
// the memory. Here the reciprocal is found once, and a quotient is a product that its remainder
// corrects twice, the second time to the nearest number, as a division gives it (Markstein,
// "Computation of elementary functions on the IBM RISC System/6000 processor", 1990). That needs a
// divisor and a quotient between 2^-60 and 2^60; other quotients (zeros with their sign,
// infinities, NaN) are what the first product gives.
template <class T>
struct Divisor {
  T number, reciprocal;

  LOWBIT_HOST_DEVICE Divisor(T divisor) : number(divisor), reciprocal(T(1) / divisor) {}
  LOWBIT_HOST_DEVICE operator T() const { return number; }

  friend LOWBIT_HOST_DEVICE T operator/(T x, const Divisor& divisor) {
#ifdef __CUDA_ARCH__
    if constexpr (sizeof(T) == sizeof(float)) return divisor.corrected(x);
#endif
    return x / divisor.number;
  }

 private:
#ifdef __CUDA_ARCH__
  __device__ T corrected(T x) const {
    constexpr T kLargest = T(1ull << 60), kSmallest = 1 / kLargest;
    const T first = x * reciprocal;
    const T second = ::fmaf(::fmaf(-number, first, x), reciprocal, first);
    const T third = ::fmaf(::fmaf(-number, second, x), reciprocal, second);
    const T size = ::fabsf(first);
    return kSmallest < size && size < kLargest ? third : first;
  }
#endif
};

}  // namespace lowbit::kernels
