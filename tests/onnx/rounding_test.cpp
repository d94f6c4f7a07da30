#include "lowbit/onnx/rounding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace lowbit::onnx {
namespace {

int code(float x, const Rounding& rounding, int levels) {
  const auto rounded = static_cast<int>(std::nearbyint(x / rounding.scale));
  return std::clamp(rounded + rounding.zero_point, 0, levels - 1);
}

// The code on both sides of each threshold.
void expect_steps(const std::vector<float>& thresholds) {
  const auto rounding = rounding_of(thresholds);
  ASSERT_TRUE(rounding);
  const int levels = static_cast<int>(thresholds.size()) + 1;
  for (int k = 0; k + 1 < levels; ++k) {
    const float at = thresholds[static_cast<size_t>(k)], near = 4e-6F * std::abs(at);
    EXPECT_EQ(code(at - near, *rounding, levels), k);
    EXPECT_EQ(code(at + near, *rounding, levels), k + 1);
  }
}

TEST(Rounding, IsFoundForGridsWithALevelAtZero) {
  expect_steps({0.5F, 1.5F, 2.5F});
  expect_steps({0.05F, 0.15F, 0.25F, 0.35F, 0.45F, 0.55F, 0.65F});
  expect_steps({-1.5F * 0.37F, -0.5F * 0.37F, 0.5F * 0.37F});
  expect_steps({0.7F});
}

TEST(Rounding, TakesTheScaleThatHasMostThresholdsExactly) {
  // As a method that divides in float32 and rounds has them.
  const float scale = 0.3217F;
  std::vector<float> thresholds;
  for (int k = 1; k < 16; ++k) {
    float x = scale * (static_cast<float>(k) - 0.5F);
    while (std::round(x / scale) >= static_cast<float>(k)) x = std::nextafter(x, 0.0F);
    while (std::round(x / scale) < static_cast<float>(k)) x = std::nextafter(x, 9.0F);
    thresholds.push_back(x);
  }
  const auto rounding = rounding_of(thresholds);
  ASSERT_TRUE(rounding);
  EXPECT_NEAR(rounding->scale, scale, 1e-7F);
}

TEST(Rounding, IsNoneForAnythingElse) {
  EXPECT_FALSE(rounding_of(std::vector<float>{0.0F})) << "a tie at 0";
  EXPECT_FALSE(rounding_of(std::vector<float>{-1.0F, 0.0F, 1.0F})) << "a tie at 0";
  EXPECT_FALSE(rounding_of(std::vector<float>{0.5F, 1.5F, 2.6F})) << "not uniform";
  EXPECT_FALSE(rounding_of(std::vector<float>{0.3F, 1.3F, 2.3F})) << "no level at 0";
  EXPECT_FALSE(rounding_of(std::vector<float>{1.0F, 1.0F, 1.0F}));
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(rounding_of(std::vector<float>{0.5F, 1.5F, infinity}));
}

}  // namespace
}  // namespace lowbit::onnx
