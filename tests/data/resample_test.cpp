// Resizing by hand-made pictures; pillow_test.py compares with Pillow itself.
#include "lowbit/data/resample.h"

#include <gmock/gmock.h>

namespace lowbit::data {
namespace {

using testing::Each;
using testing::ElementsAre;

struct Picture3 {
  int64_t height, width;
  std::vector<uint8_t> pixels;
};

Picture3 counting(int64_t height, int64_t width) {
  Picture3 picture{height, width, {}};
  for (int64_t i = 0; i < height * width * 3; ++i)
    picture.pixels.push_back(static_cast<uint8_t>(i * 37 % 251));
  return picture;
}

Axis whole(int64_t size, int64_t to) {
  return {.size = size,
          .begin = 0,
          .end = static_cast<double>(size),
          .to = to,
          .first = 0,
          .count = to};
}

std::vector<uint8_t> resized(const Picture3& from, const Axis& vertical, const Axis& horizontal) {
  const AxisFilter rows(vertical), columns(horizontal);
  std::vector<uint8_t> to(static_cast<size_t>(rows.count() * columns.count() * 3));
  ResampleBuffers buffers;
  resample(from.pixels.data() + (rows.source_begin() * from.width + columns.source_begin()) * 3,
           from.width * 3, rows, columns, to.data(), buffers);
  return to;
}

TEST(Resample, ToTheSameSizeChangesNothing) {
  for (const auto& [height, width] : {std::pair{1, 1}, {3, 70}, {40, 17}, {16, 16}}) {
    const Picture3 picture = counting(height, width);
    EXPECT_EQ(resized(picture, whole(height, height), whole(width, width)), picture.pixels);
  }
}

TEST(Resample, KeepsOneColor) {
  Picture3 picture{33, 21, std::vector<uint8_t>(33 * 21 * 3, 255)};
  EXPECT_THAT(resized(picture, whole(33, 100), whole(21, 5)), Each(255));
  EXPECT_THAT(resized(picture, whole(33, 1), whole(21, 1)), Each(255));
}

// Half the size: a triangle over four pixels, 1 3 3 1, cut off and normalized at the edge.
TEST(Resample, WeighsAsATriangleAsWideAsTheReduction) {
  Picture3 picture{1, 6, {}};
  for (const uint8_t value : {80, 0, 40, 0, 0, 160})
    picture.pixels.insert(picture.pixels.end(), {value, 0, value});
  EXPECT_THAT(resized(picture, whole(1, 1), whole(6, 3)),
              ElementsAre(40, 0, 40, 15, 0, 15, 69, 0, 69));
}

TEST(Resample, OfAWindowIsThatPartOfTheWhole) {
  const Picture3 picture = counting(50, 61);
  const std::vector<uint8_t> all = resized(picture, whole(50, 30), whole(61, 90));
  Axis vertical = whole(50, 30), horizontal = whole(61, 90);
  vertical.first = 7, vertical.count = 11;
  horizontal.first = 50, horizontal.count = 23;
  const std::vector<uint8_t> part = resized(picture, vertical, horizontal);
  for (int64_t y = 0; y < 11; ++y)
    for (int64_t x = 0; x < 23 * 3; ++x)
      ASSERT_EQ(part[y * 23 * 3 + x], all[(y + 7) * 90 * 3 + x + 50 * 3]) << y << ' ' << x;
}

TEST(Resample, OfABoxBetweenPixelsLooksAtItsSizeOnly) {
  Axis axis{.size = 9, .begin = 0.5, .end = 8.25, .to = 4, .first = 0, .count = 4};
  const AxisFilter filter(axis);
  EXPECT_EQ(filter.source_begin(), 0);
  EXPECT_EQ(filter.source_end(), 9);
  for (int64_t i = 0; i < 4; ++i) {
    const AxisFilter::Taps taps = filter.taps(i);
    double sum = 0, center = 0;
    for (int64_t t = 0; t < taps.count; ++t) {
      sum += taps.weights[t];
      center += taps.weights[t] * (static_cast<double>(taps.first + t) + 0.5);
    }
    EXPECT_NEAR(sum, 1 << 22, 8);
    if (i == 1 || i == 2) {
      EXPECT_NEAR(center / sum, 0.5 + (static_cast<double>(i) + 0.5) * 7.75 / 4, 0.1);
    }
  }
}

}  // namespace
}  // namespace lowbit::data
