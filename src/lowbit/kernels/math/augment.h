// From the bytes of an image to a sample of a training step: which source pixel an output pixel
// shows, and what number its byte becomes. Random horizontal flip (probability 1/2) and random crop
// of the image with `pad` reflected pixels around it, back to its own size: the usual augmentation
// of small images, He et al., https://arxiv.org/abs/1512.03385, section 4.2 (there padded with
// zeros).
#pragma once

#include <cstdint>
#include <type_traits>

#include "lowbit/kernels/math/divisor.h"
#include "lowbit/kernels/math/random.h"

namespace lowbit::kernels {

struct Augmentation {
  bool flip = false;
  int pad = 0;  // pixels, 0..min(height, width)-1
};

// One of the 2 (2 pad + 1)^2 equally probable outcomes.
struct Placement {
  bool flip = false;
  int down = 0, right = 0;  // -pad..pad: where the crop begins, relative to the image
};

LOWBIT_HOST_DEVICE inline Placement draw_placement(const Augmentation& augmentation, uint64_t seed,
                                                   int64_t epoch, int64_t index) {
  const Random128 bits = random_bits(seed, Purpose::augmentation, epoch, index);
  const uint32_t shifts = 2 * static_cast<uint32_t>(augmentation.pad) + 1;
  const uint32_t outcome = uniform_below(bits.word[0], bits.word[1], 2 * shifts * shifts);
  const uint32_t shift = outcome / 2;
  return {augmentation.flip && outcome % 2 == 1,
          static_cast<int>(shift / shifts) - augmentation.pad,
          static_cast<int>(shift % shifts) - augmentation.pad};
}

// The pixel of 0..size-1 that a position in -(size-1)..2 (size-1) shows: mirrored at the first and
// the last pixel, which are not repeated.
LOWBIT_HOST_DEVICE inline int reflect(int position, int size) {
  if (position < 0) return -position;
  return position < size ? position : 2 * (size - 1) - position;
}

LOWBIT_HOST_DEVICE inline int source_row(const Placement& placement, int row, int height) {
  return reflect(row + placement.down, height);
}

LOWBIT_HOST_DEVICE inline int source_column(const Placement& placement, int column, int width) {
  const int unflipped = placement.flip ? width - 1 - column : column;
  return reflect(unflipped + placement.right, width);
}

// A byte as the network's input; T is float, or double for a float64 network. mean and std are of
// values in 0..1, and so is light, which is added in between. The two divisions are those of
// torchvision's ToTensor and Normalize, bit for bit.
template <class T>
LOWBIT_HOST_DEVICE inline T normalized(uint8_t byte, T mean,
                                       const Divisor<std::type_identity_t<T>>& std, T light = 0) {
  return (static_cast<T>(byte) / Divisor<T>(255) + light - mean) / std;
}

}  // namespace lowbit::kernels
