// The colors of training samples, changed at random: --addition_augment.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "lowbit/kernels/math/color.h"

namespace lowbit::data {

using kernels::ColorJitter;

ColorJitter draw_color_jitter(uint64_t seed, int64_t epoch, int64_t index);

// Of pixels red, green, blue, as PIL's ImageEnhance rounds them: contrast is the distance from the
// mean gray of all pixels, saturation that from a pixel's own gray.
void change_colors(const ColorJitter& jitter, std::span<uint8_t> pixels);

// What the lighting of Krizhevsky et al. (2012) adds to a sample's red, green and blue, of values
// in 0..1: the principal components of ImageNet's colors, times their standard deviation, times
// normal numbers of standard deviation 0.1.
std::array<float, 3> draw_lighting(uint64_t seed, int64_t epoch, int64_t index);

}  // namespace lowbit::data
