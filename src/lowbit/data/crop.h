// Which part of a picture a sample shows: torchvision's RandomResizedCrop, or Resize and
// CenterCrop.
#pragma once

#include <cstdint>

#include "lowbit/data/image.h"

namespace lowbit::data {

// `box` of the picture is resized to scaled_height x scaled_width, of which `window` is the sample.
struct Crop {
  Region box;
  int64_t scaled_height = 0, scaled_width = 0;
  Region window;
};

// A box of 8 to 100 % of the picture's area (uniform) and 3/4 to 4/3 as wide as high (uniform in
// the logarithm), anywhere in the picture, as a square of `side` pixels. After ten boxes that do
// not fit: the middle of the picture, as much of it as these ratios allow. A function of (seed,
// epoch, index) and the picture's size.
Crop random_resized_crop(int64_t height, int64_t width, int64_t side, uint64_t seed, int64_t epoch,
                         int64_t index);

// All of the picture, resized so that the shorter side has `shorter` pixels.
Crop whole_picture(int64_t height, int64_t width, int64_t shorter);

// What the shorter side of a picture is resized to before its middle square of `side` pixels is cut
// out: 256 pixels; for a larger `side` than that 8/7 of it, the same share as 256 of 224.
int64_t shorter_side(int64_t side);

// The middle square of `side` pixels, the shorter side being resized to shorter_side(side).
Crop center_crop(int64_t height, int64_t width, int64_t side);

}  // namespace lowbit::data
