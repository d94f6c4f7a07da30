// Which sample of the set, and which place of the output, a thread of an assemble_batch kernel has.
#pragma once

#include <cstdint>

#include "lowbit/kernels/augment.h"

namespace lowbit::kernels {

struct Sample {
  const uint8_t* image;  // [height, width, 3]
  int64_t label;
  Placement placement;
};

LOWBIT_HOST_DEVICE inline Sample sample_of_batch(const AssembleBatch& args, int64_t b) {
  const int64_t position = *args.cursor + b;
  const int64_t index = args.order ? args.order[position] : position;
  const int64_t image_bytes = args.height * args.width * 3;
  return {args.pixels + index % args.image_count * image_bytes, args.labels[index],
          draw_placement(args.augmentation, args.seed, *args.epoch, index)};
}

// Where in the memory of `images` the first channel of a pixel stands, and how far on the next
// does.
struct PixelPlace {
  int64_t first, step;
};

LOWBIT_HOST_DEVICE inline PixelPlace pixel_place(const AssembleBatch& args, int64_t b, int64_t row,
                                                 int64_t column) {
  const int64_t plane = args.height * args.width, pixel = row * args.width + column;
  if (args.channels_last) return {(b * plane + pixel) * 3, 1};
  return {b * 3 * plane + pixel, plane};
}

}  // namespace lowbit::kernels
