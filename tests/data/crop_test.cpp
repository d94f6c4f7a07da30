#include "lowbit/data/crop.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "lowbit/data/color.h"

namespace lowbit::data {
namespace {

constexpr int kCrops = 20'000;

// The description of RandomResizedCrop in the words of its paper and of torchvision, on the
// standard library's generator.
Region reference_box(int64_t height, int64_t width, std::mt19937_64& generator) {
  const auto uniform = [&](double low, double high) {
    return std::uniform_real_distribution(low, high)(generator);
  };
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area = static_cast<double>(height * width) * uniform(0.08, 1);
    const double ratio = std::exp(uniform(std::log(0.75), std::log(4.0 / 3)));
    const auto w = std::lround(std::sqrt(area * ratio)), h = std::lround(std::sqrt(area / ratio));
    if (w > 0 && w <= width && h > 0 && h <= height)
      return {std::uniform_int_distribution<int64_t>(0, height - h)(generator),
              std::uniform_int_distribution<int64_t>(0, width - w)(generator), h, w};
  }
  // Only pictures narrower than 3/4 of their height are tried here that may come to this.
  const auto h = std::lround(static_cast<double>(width) / 0.75);
  return {(height - h) / 2, 0, h, width};
}

// The largest distance between the distribution functions of two samples.
double kolmogorov_smirnov(std::vector<double> a, std::vector<double> b) {
  std::ranges::sort(a);
  std::ranges::sort(b);
  double most = 0;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    const double x = std::min(a[i], b[j]);
    while (i < a.size() && a[i] == x) ++i;
    while (j < b.size() && b[j] == x) ++j;
    most = std::max(most, std::abs(static_cast<double>(i) / static_cast<double>(a.size()) -
                                   static_cast<double>(j) / static_cast<double>(b.size())));
  }
  return most;
}

struct Size {
  int64_t height, width;
};

class RandomCrop : public testing::TestWithParam<Size> {};
INSTANTIATE_TEST_SUITE_P(Sizes, RandomCrop, testing::Values(Size{375, 500}, Size{500, 333}),
                         [](const auto& size) { return fmt::format("w{}", size.param.width); });

TEST_P(RandomCrop, HasTheDistributionOfTheDefinition) {
  const auto [height, width] = GetParam();
  std::mt19937_64 generator(7);
  // Area, ratio, and where in its room a box lies, both ways.
  std::array<std::vector<double>, 4> drawn, expected;
  const auto add = [&](std::array<std::vector<double>, 4>& to, const Region& box) {
    to[0].push_back(static_cast<double>(box.height * box.width));
    to[1].push_back(static_cast<double>(box.width) / static_cast<double>(box.height));
    to[2].push_back(static_cast<double>(box.top));
    to[3].push_back(static_cast<double>(box.left));
  };
  for (int i = 0; i < kCrops; ++i) {
    const Crop crop = random_resized_crop(height, width, 224, 2, 5, i);
    EXPECT_EQ(crop.scaled_height, 224);
    EXPECT_EQ(crop.window.width, 224);
    EXPECT_GE(std::min(crop.box.top, crop.box.left), 0);
    EXPECT_LE(crop.box.top + crop.box.height, height);
    EXPECT_LE(crop.box.left + crop.box.width, width);
    add(drawn, crop.box);
    add(expected, reference_box(height, width, generator));
  }
  // Exceeded by one in a thousand pairs of samples of the same distribution.
  const double bound = 1.95 * std::sqrt(2.0 / kCrops);
  for (size_t i = 0; i < drawn.size(); ++i)
    EXPECT_LT(kolmogorov_smirnov(drawn[i], expected[i]), bound) << i;
}

TEST(RandomCrop, IsAFunctionOfSeedEpochAndIndex) {
  const auto boxes = [](uint64_t seed, int64_t epoch) {
    std::vector<std::array<int64_t, 4>> result;
    for (int64_t i = 0; i < 20; ++i) {
      const Region box = random_resized_crop(375, 500, 224, seed, epoch, i).box;
      result.push_back({box.top, box.left, box.height, box.width});
    }
    return result;
  };
  EXPECT_EQ(boxes(2, 0), boxes(2, 0));
  EXPECT_NE(boxes(2, 0), boxes(2, 1));
  EXPECT_NE(boxes(2, 0), boxes(3, 0));
}

// Whichever box is drawn for a picture this long, it does not fit.
TEST(RandomCrop, IsTheMiddleWhereNoBoxFits) {
  const Region wide = random_resized_crop(10, 1000, 224, 2, 0, 0).box;
  EXPECT_EQ(wide.height, 10);
  EXPECT_EQ(wide.width, 13);
  EXPECT_EQ(wide.left, 493);
  const Region high = random_resized_crop(1000, 1, 224, 2, 0, 0).box;
  EXPECT_EQ(high.height, 1);
  EXPECT_EQ(high.width, 1);
  EXPECT_EQ(high.top, 499);
}

void expect_center(Size size, int64_t side, Size scaled, int64_t top, int64_t left) {
  const Crop crop = center_crop(size.height, size.width, side);
  EXPECT_EQ(crop.box.height, size.height);
  EXPECT_EQ(crop.box.width, size.width);
  EXPECT_EQ(crop.scaled_height, scaled.height);
  EXPECT_EQ(crop.scaled_width, scaled.width);
  EXPECT_EQ(crop.window.top, top);
  EXPECT_EQ(crop.window.left, left);
  EXPECT_EQ(crop.window.height, side);
  EXPECT_EQ(crop.window.width, side);
}

TEST(CenterCrop, HasTheSizesOfTorchvision) {
  expect_center({375, 500}, 224, {256, 341}, 16, 58);  // 58.5 to the even number
  expect_center({500, 375}, 224, {341, 256}, 58, 16);
  expect_center({256, 256}, 224, {256, 256}, 16, 16);
  expect_center({10, 1}, 224, {2560, 256}, 1168, 16);
  expect_center({333, 500}, 32, {256, 384}, 112, 176);
}

TEST(CenterCrop, LargerThan256ShowsTheSameShare) {
  expect_center({600, 600}, 448, {512, 512}, 32, 32);
  expect_center({600, 600}, 300, {343, 343}, 22, 22);  // 300 * 8 / 7, up to the next whole number
}

TEST(Jitter, DrawsFactorsAndEveryOrderEquallyOften) {
  std::map<std::array<int, 3>, int> orders;
  double sum = 0, least = 2, most = 0;
  for (int i = 0; i < 6000; ++i) {
    const ColorJitter jitter = draw_color_jitter(2, 1, i);
    ++orders[jitter.order];
    for (const float factor : {jitter.brightness, jitter.contrast, jitter.saturation}) {
      sum += factor;
      least = std::min<double>(least, factor);
      most = std::max<double>(most, factor);
    }
  }
  EXPECT_EQ(orders.size(), 6u);
  for (const auto& [order, count] : orders) EXPECT_NEAR(count, 1000, 145);  // 5 deviations
  EXPECT_NEAR(sum / 18000, 1, 0.01);
  EXPECT_GE(least, 0.6);
  EXPECT_LT(least, 0.602);
  EXPECT_LT(most, 1.4001);
  EXPECT_GT(most, 1.398);
}

TEST(Jitter, BrightnessContrastAndSaturationAreBlends) {
  const auto changed = [](const ColorJitter& jitter) {
    std::vector<uint8_t> pixels{100, 100, 100, 200, 200, 200};
    change_colors(jitter, pixels);
    return pixels;
  };
  using testing::ElementsAre;
  EXPECT_THAT(changed({.brightness = 0.5f}), ElementsAre(50, 50, 50, 100, 100, 100));
  EXPECT_THAT(changed({.brightness = 1.4f}), ElementsAre(140, 140, 140, 255, 255, 255));
  EXPECT_THAT(changed({.contrast = 0.5f}), ElementsAre(125, 125, 125, 175, 175, 175));
  EXPECT_THAT(changed({.saturation = 0.6f}), ElementsAre(100, 100, 100, 200, 200, 200));
  std::vector<uint8_t> red{200, 0, 0};
  change_colors({.saturation = 0.5f}, red);
  EXPECT_THAT(red, ElementsAre(130, 30, 30));  // its gray is 60
}

// The covariance of what is added: components times deviations, squared.
TEST(Lighting, HasTheCovarianceOfTheComponents) {
  double sums[3] = {}, squares[3][3] = {};
  for (int i = 0; i < kCrops; ++i) {
    const std::array<float, 3> light = draw_lighting(2, 3, i);
    for (int a = 0; a < 3; ++a) {
      sums[a] += light[a];
      for (int b = 0; b < 3; ++b) squares[a][b] += light[a] * light[b];
    }
  }
  constexpr double kDeviations[3] = {0.02175, 0.00188, 0.00045};
  constexpr double kComponents[3][3] = {
      {-0.5675, 0.7192, 0.4009}, {-0.5808, -0.0045, -0.8140}, {-0.5836, -0.6948, 0.4203}};
  for (int a = 0; a < 3; ++a) {
    EXPECT_NEAR(sums[a] / kCrops, 0, 5e-4);
    for (int b = 0; b < 3; ++b) {
      double expected = 0;
      for (int k = 0; k < 3; ++k)
        expected += kComponents[a][k] * kComponents[b][k] * kDeviations[k] * kDeviations[k];
      EXPECT_NEAR(squares[a][b] / kCrops, expected, 0.05 * expected) << a << b;
    }
  }
}

}  // namespace
}  // namespace lowbit::data
