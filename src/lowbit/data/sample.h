// From a picture to the pixels of a sample.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lowbit/data/crop.h"
#include "lowbit/data/image.h"
#include "lowbit/data/resample.h"

namespace lowbit::data {

struct SampleRecipe {
  int64_t side = 224;   // pixels, of a square
  bool random = false;  // random_resized_crop, else center_crop
  bool jitter = false;  // change_colors, at random
  // Decodes a JPEG whose box is at least twice, four or eight times as large as the sample at that
  // fraction: for training alone, since a color then differs by about one step of 255 in the mean.
  bool fractions = false;
  uint64_t seed = 0;

  // What sample `index` of the set shows of its picture in `epoch`.
  Crop crop(const Picture& picture, int64_t epoch, int64_t index) const;
};

// Makes samples of one recipe, one after the other: each thread has its own.
class SampleMaker {
 public:
  explicit SampleMaker(const SampleRecipe& recipe) : recipe_(recipe) {}

  // Fills pixels, [side, side, 3], with sample `index` of the set in `epoch`, which is cut out of
  // `picture`, of which no more is decoded than the sample shows. An Error (failure) as
  // Picture::read says.
  void make(Picture& picture, int64_t epoch, int64_t index, std::span<uint8_t> pixels,
            Rest rest = Rest::check);

  // The part of a picture that `crop` says, [window.height, window.width, 3].
  void cut_out(Picture& picture, const Crop& crop, uint8_t* pixels, Rest rest = Rest::check);

 private:
  SampleRecipe recipe_;
  std::vector<uint8_t> decoded_;
  ResampleBuffers buffers_;
};

}  // namespace lowbit::data
