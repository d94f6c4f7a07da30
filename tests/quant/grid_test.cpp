#include "lowbit/quant/grid.h"

#include <gtest/gtest.h>

namespace lowbit::quant {
namespace {

torch::Tensor number(double value) {
  return torch::full({1}, value, torch::kFloat64);
}

TEST(UniformGrid, WithZeroOrItsMirrorHasOnePlane) {
  const Grid half = uniform_grid(4, number(0.4));
  ASSERT_EQ(half.planes.size(), 1);
  EXPECT_EQ(half.planes[0].integers, (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(half.planes[0].scale.item<double>(), 0.4);

  const Grid even = uniform_grid(4, number(0.5), -1.5);
  ASSERT_EQ(even.planes.size(), 1);
  EXPECT_EQ(even.planes[0].integers, (std::vector<int>{-3, -1, 1, 3}));
  EXPECT_EQ(even.planes[0].scale.item<double>(), 0.25);

  const Grid odd = uniform_grid(3, number(0.7), -1);
  ASSERT_EQ(odd.planes.size(), 1);
  EXPECT_EQ(odd.planes[0].integers, (std::vector<int>{-1, 0, 1}));
}

TEST(UniformGrid, ElsewhereHasAnOffset) {
  const Grid grid = uniform_grid(3, number(2), 0.3);
  ASSERT_EQ(grid.planes.size(), 2);
  EXPECT_EQ(grid.planes[0].integers, (std::vector<int>{0, 1, 2}));
  EXPECT_FALSE(grid.planes[0].is_offset());
  EXPECT_TRUE(grid.planes[1].is_offset());
  EXPECT_DOUBLE_EQ(grid.planes[1].scale.item<double>(), 0.6);
}

TEST(ScaledGrid, HasTheFactorsAndOffsetsOfTheGroups) {
  const torch::Tensor factor = torch::tensor({2.0, -3.0}, torch::kFloat64);
  const Grid grid = scaled_grid(sign_grid(number(0.5)), factor, factor + 1);
  ASSERT_EQ(grid.planes.size(), 2);
  EXPECT_TRUE(torch::equal(grid.planes[0].scale, factor / 2));
  EXPECT_EQ(grid.planes[1].integers, (std::vector<int>{1, 1}));
  EXPECT_TRUE(torch::equal(grid.planes[1].scale, factor + 1));
}

}  // namespace
}  // namespace lowbit::quant
