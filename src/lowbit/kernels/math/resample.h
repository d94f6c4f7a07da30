// Resizing by Pillow's BILINEAR filter (Pillow's Resample.c), one axis at a time: a triangle that
// is as wide as the distance of the output's pixels in the source, weights of 22 bits.
#pragma once

#include <cmath>
#include <cstdint>

#include "lowbit/kernels/math/host_device.h"

namespace lowbit::kernels {

// One axis of a resize: begin..end of a source of `size` pixels becomes `to` pixels, of which
// `count` from `first` on are wanted. Nothing outside of 0..size is looked at.
struct ResampleAxis {
  int64_t size = 0;
  double begin = 0, end = 0;  // 0 <= begin < end <= size
  int64_t to = 0;             // at least 1
  int64_t first = 0, count = 0;
};

// Pillow's PRECISION_BITS: with a byte and the sum of the weights, 1, they fill an int32.
inline constexpr int kResampleBits = 22;
// What a sum of bytes times weights begins with, so that it is rounded.
inline constexpr int32_t kResampleHalf = 1 << (kResampleBits - 1);

LOWBIT_HOST_DEVICE inline uint8_t resampled_byte(int32_t sum) {
  const int32_t value = sum >> kResampleBits;
  return static_cast<uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

// The pixels of the source that make one wanted pixel.
struct ResampleTaps {
  int64_t first = 0, count = 0;
  double center = 0, reach = 0;
};

// At most so many pixels of the source make one of the output.
LOWBIT_HOST_DEVICE inline int64_t most_taps(const ResampleAxis& axis) {
  const double scale = (axis.end - axis.begin) / static_cast<double>(axis.to);
  return static_cast<int64_t>(ceil(scale > 1 ? scale : 1.0)) * 2 + 1;
}

// Of wanted pixel i, 0..count-1.
LOWBIT_HOST_DEVICE inline ResampleTaps resample_taps(const ResampleAxis& axis, int64_t i) {
  const double scale = (axis.end - axis.begin) / static_cast<double>(axis.to);
  const double reach = scale > 1 ? scale : 1.0;
  const double center = axis.begin + (static_cast<double>(axis.first + i) + 0.5) * scale;
  const auto from = static_cast<int64_t>(center - reach + 0.5);
  const auto until = static_cast<int64_t>(center + reach + 0.5);
  const int64_t first = from < 0 ? 0 : from;
  return {first, (until < axis.size ? until : axis.size) - first, center, reach};
}

// The weights of a wanted pixel, before they are made to sum up to 1.
LOWBIT_HOST_DEVICE inline double resample_share(const ResampleTaps& taps, int64_t t) {
  const double distance =
      (static_cast<double>(taps.first + t) - taps.center + 0.5) * (1 / taps.reach);
  const double share = 1.0 - (distance < 0 ? -distance : distance);
  return share < 0 ? 0.0 : share;
}

// Writes the weights, in 2^-22, `stride` apart.
LOWBIT_HOST_DEVICE inline void resample_weights(const ResampleTaps& taps, int32_t* weights,
                                                int64_t stride) {
  double sum = 0;
  for (int64_t t = 0; t < taps.count; ++t) sum += resample_share(taps, t);
  for (int64_t t = 0; t < taps.count; ++t)
    weights[t * stride] =
        static_cast<int32_t>(0.5 + resample_share(taps, t) / sum * (1 << kResampleBits));
}

}  // namespace lowbit::kernels
