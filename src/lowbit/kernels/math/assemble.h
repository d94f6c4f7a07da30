// Which sample of the set, and which place of the output, a thread of an assemble_batch kernel has.
#pragma once

#include <cstdint>

#include "lowbit/kernels/augment.h"

namespace lowbit::kernels {

struct Sample {
  const uint8_t* image;  // [height, width, 3]
  int64_t label;
  Placement placement;
  float light[3];  // of each channel
};

LOWBIT_HOST_DEVICE inline Sample sample_of_batch(const AssembleBatch& args, int64_t b) {
  const int64_t image_bytes = args.height * args.width * 3;
  Sample sample{};
  int64_t index;
  if (args.indices) {
    index = args.indices[b];
    sample.image = args.pixels + b * image_bytes;
    sample.label = args.labels[b];
  } else {
    const int64_t position = *args.cursor + b;
    index = args.order ? args.order[position] : position;
    sample.image = args.pixels + index % args.image_count * image_bytes;
    sample.label = args.labels[index];
  }
  sample.placement = draw_placement(args.augmentation, args.seed, *args.epoch, index);
  if (args.lighting)
    for (int channel = 0; channel < 3; ++channel)
      sample.light[channel] = args.lighting[3 * b + channel];
  return sample;
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
