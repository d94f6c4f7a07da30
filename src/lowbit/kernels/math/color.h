// Changes of color as PIL's ImageEnhance rounds them.
#pragma once

#include <array>
#include <cstdint>

#include "lowbit/kernels/math/host_device.h"

namespace lowbit::kernels {

// torchvision's ColorJitter(0.4, 0.4, 0.4), without hue.
struct ColorJitter {
  float brightness = 1, contrast = 1, saturation = 1;  // 0.6..1.4
  std::array<int, 3> order{0, 1, 2};                   // of brightness, contrast, saturation
};

// Pillow's blend of a pixel's byte with the byte that stands for none of what is enhanced: cut off,
// not rounded.
LOWBIT_HOST_DEVICE inline uint8_t blend(uint8_t none, uint8_t byte, float factor) {
  const float mixed = static_cast<float>(none) + factor * static_cast<float>(byte - none);
  return static_cast<uint8_t>(mixed < 0.0f ? 0.0f : mixed > 255.0f ? 255.0f : mixed);
}

// Pillow's "L" of red, green, blue: ITU-R 601 in 16 bits.
LOWBIT_HOST_DEVICE inline uint8_t gray(const uint8_t* pixel) {
  return static_cast<uint8_t>((pixel[0] * 19595 + pixel[1] * 38470 + pixel[2] * 7471 + 0x8000) >>
                              16);
}

// What stands for no contrast: the mean of the grays of all pixels, of which this is the sum.
LOWBIT_HOST_DEVICE inline uint8_t mean_gray(uint64_t sum, int64_t pixels) {
  return static_cast<uint8_t>(static_cast<double>(sum) / static_cast<double>(pixels) + 0.5);
}

}  // namespace lowbit::kernels
