#include "lowbit/data/sample.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "lowbit/data/color.h"

namespace lowbit::data {
namespace {

// The smallest size, in eighths, at which the box still has at least the pixels that are made of
// it.
int smallest_size(const Crop& crop) {
  for (const int eighths : {1, 2, 4})
    if (crop.box.height * eighths >= crop.scaled_height * 8 &&
        crop.box.width * eighths >= crop.scaled_width * 8)
      return eighths;
  return 8;
}

// Resizing to the same size changes nothing.
bool keeps_size(const Crop& crop) {
  return crop.scaled_height == crop.box.height && crop.scaled_width == crop.box.width;
}

// An axis of the box in a picture that is decoded at `eighths` of its size.
struct ScaledAxis {
  int64_t offset;  // of the axis in the decoded picture
  Axis axis;
};

ScaledAxis scaled_axis(int64_t begin, int64_t size, int eighths, int64_t to, int64_t first,
                       int64_t count) {
  const double scaled_begin = static_cast<double>(begin * eighths) / 8;
  const double scaled_end = static_cast<double>((begin + size) * eighths) / 8;
  const double offset = std::floor(scaled_begin);
  return {static_cast<int64_t>(offset),
          {.size = static_cast<int64_t>(std::ceil(scaled_end) - offset),
           .begin = scaled_begin - offset,
           .end = scaled_end - offset,
           .to = to,
           .first = first,
           .count = count}};
}

}  // namespace

Crop SampleRecipe::crop(const Picture& picture, int64_t epoch, int64_t index) const {
  return random ? random_resized_crop(picture.height(), picture.width(), side, seed, epoch, index)
                : center_crop(picture.height(), picture.width(), side);
}

void SampleMaker::make(Picture& picture, int64_t epoch, int64_t index, std::span<uint8_t> pixels,
                       Rest rest) {
  cut_out(picture, recipe_.crop(picture, epoch, index), pixels.data(), rest);
  if (recipe_.jitter) change_colors(draw_color_jitter(recipe_.seed, epoch, index), pixels);
}

void SampleMaker::cut_out(Picture& picture, const Crop& crop, uint8_t* pixels, Rest rest) {
  if (keeps_size(crop)) {
    const Region& window = crop.window;
    const PixelRows source = picture.read(
        {crop.box.top + window.top, crop.box.left + window.left, window.height, window.width}, 8,
        decoded_, rest);
    for (int64_t y = 0; y < window.height; ++y)
      std::memcpy(pixels + y * window.width * 3, source.first + y * source.row_bytes,
                  static_cast<size_t>(window.width * 3));
    return;
  }
  const int eighths = recipe_.fractions && picture.has_fractions() ? smallest_size(crop) : 8;
  const ScaledAxis vertical = scaled_axis(crop.box.top, crop.box.height, eighths,
                                          crop.scaled_height, crop.window.top, crop.window.height);
  const ScaledAxis horizontal = scaled_axis(crop.box.left, crop.box.width, eighths,
                                            crop.scaled_width, crop.window.left, crop.window.width);
  const AxisFilter rows(vertical.axis), columns(horizontal.axis);
  const Region needed{
      vertical.offset + rows.source_begin(), horizontal.offset + columns.source_begin(),
      rows.source_end() - rows.source_begin(), columns.source_end() - columns.source_begin()};
  const PixelRows source = picture.read(needed, eighths, decoded_, rest);
  resample(source.first, source.row_bytes, rows, columns, pixels, buffers_);
}

}  // namespace lowbit::data
