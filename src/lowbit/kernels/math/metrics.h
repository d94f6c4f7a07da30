// When a prediction counts as correct.
#pragma once

#include <cstdint>

#include "lowbit/kernels/math/host_device.h"

namespace lowbit::kernels {

// Whether class j stands before the target class in the order of falling logits. Equal logits stand
// in the order of the classes, as in argmax. A NaN stands before everything: a network that broke
// down is never right.
template <class T>
LOWBIT_HOST_DEVICE bool stands_before(T logit, int64_t j, T target_logit, int64_t target) {
  if (j == target) return logit != logit;
  return !(logit < target_logit) && (logit != target_logit || j < target);
}

}  // namespace lowbit::kernels
