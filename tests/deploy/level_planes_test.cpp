#include "lowbit/deploy/level_planes.h"

#include <gtest/gtest.h>

#include <array>

namespace lowbit::deploy {
namespace {

torch::Tensor numbers(std::vector<double> values) {
  return torch::tensor(values, torch::kFloat64);
}

std::vector<int> integers(const LevelPlane& plane) {
  return {plane.integers.begin(), plane.integers.end()};
}

TEST(LevelPlanes, AreThoseOfTheGridForEveryGroup) {
  const auto planes =
      level_planes({{{{-3, -1, 1, 3}, numbers({0.5, 2})}, {{1, 1, 1, 1}, numbers({0.25})}}}, 2);
  ASSERT_EQ(planes.size(), 2);
  EXPECT_EQ(integers(planes[0]), (std::vector<int>{-3, -1, 1, 3}));
  EXPECT_EQ(planes[0].scales, (std::vector<double>{0.5, 2}));
  EXPECT_FALSE(planes[0].is_constant());
  EXPECT_EQ(planes[1].scales, (std::vector<double>{0.25, 0.25}));
  EXPECT_TRUE(planes[1].is_constant());
}

// Of all codes of 8 bits, in half range and around zero, and of 200 levels.
TEST(LevelPlanes, AreBitsWhereIntegersExceedAByte) {
  for (const auto& [count, first, step, parts] :
       {std::array{256, 0, 1, 9}, std::array{256, -255, 2, 8}, std::array{200, 0, 1, 9}}) {
    std::vector<int> grid;
    for (int code = 0; code < count; ++code) grid.push_back(first + step * code);
    const auto planes = level_planes({{{grid, numbers({0.5})}}}, 1);
    EXPECT_EQ(planes.size(), parts);
    for (size_t code = 0; code < grid.size(); ++code) {
      double level = 0;
      for (const LevelPlane& plane : planes) level += plane.integers[code] * plane.scales[0];
      EXPECT_EQ(level, 0.5 * grid[code]);
    }
  }
}

TEST(LevelPlanes, OfGroupsWithDifferentNumbersOfLevelsAreThoseOfTheLongest) {
  const auto groups =
      with_equal_levels({{{0.5F}, {0, 1}, {0, 3}}, {{0.5F, 1.5F}, {0, 1, 2}, {0, 1, 2}}});
  EXPECT_EQ(groups[0].levels, (std::vector<float>{0, 1, 1}));
  EXPECT_EQ(groups[0].codes, (std::vector<int>{0, 3, 3}));
  EXPECT_EQ(groups[0].step(1e30F), 1);
}

}  // namespace
}  // namespace lowbit::deploy
