#include "lowbit/data/crop.h"

#include <algorithm>
#include <cmath>

#include "lowbit/kernels/math/random.h"

namespace lowbit::data {
namespace {

constexpr double kLeastArea = 0.08, kMostArea = 1;
constexpr double kLeastRatio = 3.0 / 4, kMostRatio = 4.0 / 3;
constexpr int64_t kTries = 10, kDraws = 16;  // numbers of an index; a power of two above the tries

double between(double low, double high, uint32_t bits) {
  return low + (high - low) * (bits * 0x1p-32);
}

// As Python's round: halves to the even number.
int64_t rounded(double x) {
  return static_cast<int64_t>(std::nearbyint(x));
}

int64_t position(uint32_t bits, int64_t room) {
  return kernels::uniform_below(bits, 0, static_cast<uint32_t>(room + 1));
}

Crop whole_as_square(const Region& box, int64_t side) {
  return {box, side, side, {0, 0, side, side}};
}

Region middle(int64_t height, int64_t width) {
  const double ratio = static_cast<double>(width) / static_cast<double>(height);
  Region box{0, 0, height, width};
  if (ratio < kLeastRatio)
    box.height = rounded(static_cast<double>(width) / kLeastRatio);
  else if (ratio > kMostRatio)
    box.width = rounded(static_cast<double>(height) * kMostRatio);
  box.top = (height - box.height) / 2;
  box.left = (width - box.width) / 2;
  return box;
}

}  // namespace

Crop random_resized_crop(int64_t height, int64_t width, int64_t side, uint64_t seed, int64_t epoch,
                         int64_t index) {
  for (int64_t attempt = 0; attempt < kTries; ++attempt) {
    const kernels::Random128 bits =
        kernels::random_bits(seed, kernels::Purpose::crop, epoch, index * kDraws + attempt);
    const double area =
        static_cast<double>(height * width) * between(kLeastArea, kMostArea, bits.word[0]);
    const double ratio =
        std::exp(between(std::log(kLeastRatio), std::log(kMostRatio), bits.word[1]));
    const int64_t box_width = rounded(std::sqrt(area * ratio));
    const int64_t box_height = rounded(std::sqrt(area / ratio));
    if (box_width < 1 || box_width > width || box_height < 1 || box_height > height) continue;
    return whole_as_square({position(bits.word[2], height - box_height),
                            position(bits.word[3], width - box_width), box_height, box_width},
                           side);
  }
  return whole_as_square(middle(height, width), side);
}

Crop whole_picture(int64_t height, int64_t width, int64_t shorter) {
  const auto longer = [shorter](int64_t long_side, int64_t short_side) {
    return static_cast<int64_t>(static_cast<double>(shorter * long_side) /
                                static_cast<double>(short_side));
  };
  Crop crop{{0, 0, height, width}, shorter, shorter, {}};
  if (width <= height)
    crop.scaled_height = longer(height, width);
  else
    crop.scaled_width = longer(width, height);
  crop.window = {0, 0, crop.scaled_height, crop.scaled_width};
  return crop;
}

int64_t shorter_side(int64_t side) {
  constexpr int64_t kUsual = 256;
  return side <= kUsual ? kUsual : (side * 8 + 6) / 7;
}

Crop center_crop(int64_t height, int64_t width, int64_t side) {
  Crop crop = whole_picture(height, width, shorter_side(side));
  crop.window = {rounded(static_cast<double>(crop.scaled_height - side) / 2),
                 rounded(static_cast<double>(crop.scaled_width - side) / 2), side, side};
  return crop;
}

}  // namespace lowbit::data
