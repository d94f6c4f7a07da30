// Maximum over windows of pixels, and where it was found.
//
// The rules are LibTorch's: a window begins inside the padding, which holds no values; of equal
// values the first wins (rows first); NaN wins over every number, and a later NaN over an earlier
// one. Where all values are -infinity the maximum lies at the window's first pixel. The gradient of
// a window goes to the pixel of its maximum.
#pragma once

#include "lowbit/kernels/math/host_device.h"

namespace lowbit::kernels {

// Whether `value` takes the place of `largest`, the maximum of those before it.
template <class T>
LOWBIT_HOST_DEVICE bool is_new_maximum(T value, T largest) {
  return value > largest || value != value;
}

// One axis: `size` pixels, windows of `kernel` pixels every `stride`, from -padding on.
struct PoolAxis {
  int size, windows, kernel, stride, padding;

  // Of window w the pixels first .. last - 1 that exist. The place of pixel p in it is
  // p - w * stride + padding.
  LOWBIT_HOST_DEVICE int first_pixel(int w) const {
    const int first = w * stride - padding;
    return first > 0 ? first : 0;
  }
  LOWBIT_HOST_DEVICE int last_pixel(int w) const {
    const int last = w * stride - padding + kernel;
    return last < size ? last : size;
  }
  LOWBIT_HOST_DEVICE int place(int pixel, int w) const { return pixel - w * stride + padding; }

  // The windows first .. last - 1 that pixel p is in.
  LOWBIT_HOST_DEVICE int first_window(int pixel) const {
    const int behind = pixel + padding - kernel;  // the last start that is too early
    return behind < 0 ? 0 : behind / stride + 1;
  }
  LOWBIT_HOST_DEVICE int last_window(int pixel) const {
    const int last = (pixel + padding) / stride + 1;
    return last < windows ? last : windows;
  }
};

}  // namespace lowbit::kernels
