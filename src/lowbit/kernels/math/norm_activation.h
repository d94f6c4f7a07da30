// The activation behind a norm: value, and where its gradient passes.
#pragma once

#include <cstdint>

#include "lowbit/kernels/math/host_device.h"

namespace lowbit::kernels {

enum class NormActivation : std::uint8_t { none, relu, relu6 };

// NaN stays NaN.
template <class T>
LOWBIT_HOST_DEVICE T activated(NormActivation activation, T v) {
  if (activation == NormActivation::none) return v;
  if (v <= 0) return 0;
  return activation == NormActivation::relu6 && v >= 6 ? T(6) : v;
}

// v: the activation's argument or its value, of which both tell. NaN passes, as LibTorch has it.
template <class T>
LOWBIT_HOST_DEVICE bool passes_gradient(NormActivation activation, T v) {
  if (activation == NormActivation::none) return true;
  return !(v <= 0 || (activation == NormActivation::relu6 && v >= 6));
}

}  // namespace lowbit::kernels
