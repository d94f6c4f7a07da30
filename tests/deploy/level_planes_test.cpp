#include "lowbit/deploy/level_planes.h"

#include <gtest/gtest.h>

namespace lowbit::deploy {
namespace {

using Levels = std::vector<std::vector<float>>;

void expect_sum(const std::vector<LevelPlane>& planes, const Levels& levels) {
  for (size_t group = 0; group < levels.size(); ++group)
    for (size_t code = 0; code < levels[group].size(); ++code) {
      double sum = 0;
      for (const LevelPlane& plane : planes) sum += plane.scales[group] * plane.integers[code];
      EXPECT_NEAR(sum, levels[group][code], 1e-5);
    }
}

std::vector<int> integers(const LevelPlane& plane) {
  return {plane.integers.begin(), plane.integers.end()};
}

TEST(LevelPlanes, AreOneForAUniformGridThatHasZeroOrItsMirror) {
  const Levels half = {{0, 0.4F, 0.8F, 1.2F}, {0, 1, 2, 3}};
  const auto planes = level_planes(half);
  ASSERT_EQ(planes.size(), 1);
  EXPECT_EQ(integers(planes[0]), (std::vector<int>{0, 1, 2, 3}));
  expect_sum(planes, half);

  const Levels full = {{-0.9F, -0.3F, 0.3F, 0.9F}};
  ASSERT_EQ(level_planes(full).size(), 1);
  EXPECT_EQ(integers(level_planes(full)[0]), (std::vector<int>{-3, -1, 1, 3}));

  const Levels ternary = {{-0.7F, 0, 0.7F}};
  EXPECT_EQ(integers(level_planes(ternary).at(0)), (std::vector<int>{-1, 0, 1}));
}

TEST(LevelPlanes, HaveAConstantBesideAGridThatLiesElsewhere) {
  const Levels levels = {{0.1F, 1.2F, 2.3F, 3.4F}, {-1, 0.5F, 2, 3.5F}};
  const auto planes = level_planes(levels);
  ASSERT_EQ(planes.size(), 2);
  EXPECT_TRUE(planes[1].is_constant());
  expect_sum(planes, levels);
}

TEST(LevelPlanes, AreThoseOfTheBitsForSumsOfABasis) {
  const Levels levels = {{-1.7F, -0.3F, 0.3F, 1.7F}, {-2.5F, -1.5F, 1.5F, 2.5F}};
  const auto planes = level_planes(levels);
  ASSERT_EQ(planes.size(), 2);
  EXPECT_EQ(integers(planes[0]), (std::vector<int>{-1, 1, -1, 1}));
  EXPECT_EQ(integers(planes[1]), (std::vector<int>{-1, -1, 1, 1}));
  expect_sum(planes, levels);
}

TEST(LevelPlanes, AreThoseOfTheThresholdsForAnyOtherLevels) {
  const Levels levels = {{0, 0.31F, 0.5F, 2.2F}, {0, 1, 1.7F, 2}};
  const auto planes = level_planes(levels);
  EXPECT_EQ(planes.size(), 3);
  expect_sum(planes, levels);
}

TEST(LevelPlanes, OfGroupsWithDifferentNumbersOfLevelsAreThoseOfTheLongest) {
  const auto groups = with_equal_levels({{{0.5F}, {0, 1}}, {{0.5F, 1.5F}, {0, 1, 2}}});
  EXPECT_EQ(groups[0].levels, (std::vector<float>{0, 1, 1}));
  EXPECT_EQ(groups[0].code(1e30F), 1);
}

}  // namespace
}  // namespace lowbit::deploy
