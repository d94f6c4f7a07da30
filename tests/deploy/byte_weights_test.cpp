#include "lowbit/deploy/byte_weights.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace lowbit::deploy {
namespace {

TEST(ByteGrid, ReachesOverTheRangeAndHasZeroAsACode) {
  for (const auto& [least, most] : {std::pair(1.0, 3.0), {-3.0, -1.0}, {-1.0, 3.0}, {0.0, 0.0}}) {
    const ByteGrid grid = grid_over(torch::tensor({least, most}).view({1, 2, 1, 1}));
    const double width = std::max(most, 0.0) - std::min(least, 0.0);
    for (size_t channel = 0; channel < 2; ++channel) {
      const double unit = grid.unit[channel], zero_point = grid.zero_points[channel];
      EXPECT_EQ(grid.zero[channel], 0) << "the real of the zero point";
      EXPECT_LE(-zero_point * unit, least + unit / 2);
      EXPECT_GE((255 - zero_point) * unit, most - unit / 2);
      if (width > 0) {
        EXPECT_NEAR(255 * unit, width, 1e-9);
      }
    }
  }
}

}  // namespace
}  // namespace lowbit::deploy
