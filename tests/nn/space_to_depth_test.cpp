#include "lowbit/nn/space_to_depth.h"

#include <gtest/gtest.h>

#include "lowbit/core/error.h"

namespace lowbit::nn {
namespace {

using torch::Tensor;

TEST(SpaceToDepth, PutsThePixelsOfACellRowByRowIntoNeighboringChannels) {
  const Tensor x = torch::arange(32).view({1, 2, 4, 4}).to(torch::kFloat32);
  const Tensor y = space_to_depth(x, 2);
  ASSERT_EQ(y.sizes(), (std::vector<int64_t>{1, 8, 2, 2}));
  const Tensor first_cell = y.index({0, torch::indexing::Slice(), 0, 0});
  EXPECT_TRUE(torch::equal(first_cell, torch::tensor({0., 1., 4., 5., 16., 17., 20., 21.})));
  EXPECT_EQ(y[0][1][1][0].item<float>(), 9);  // row 2, column 1 of channel 0
}

TEST(SpaceToDepth, IsUndoneByDepthToSpace) {
  const Tensor x = torch::randn({2, 3, 8, 12});
  for (const int64_t cell : {1, 2, 4})
    EXPECT_TRUE(torch::equal(depth_to_space(space_to_depth(x, cell), cell), x));
}

TEST(SpaceToDepth, ComputesTheSameInChannelsLastAndStaysThere) {
  constexpr auto kLast = torch::MemoryFormat::ChannelsLast;
  const Tensor x = torch::randn({2, 8, 8, 12});
  const Tensor y = space_to_depth(x.contiguous(kLast), 2);
  EXPECT_TRUE(torch::equal(y, space_to_depth(x, 2)));
  EXPECT_TRUE(y.is_contiguous(kLast));
  const Tensor z = depth_to_space(x.contiguous(kLast), 2);
  EXPECT_TRUE(torch::equal(z, depth_to_space(x, 2)));
  EXPECT_TRUE(z.is_contiguous(kLast));
}

TEST(SpaceToDepth, OfASizeThatCellsDoNotDivideIsAnError) {
  EXPECT_THROW(space_to_depth(torch::zeros({1, 1, 4, 5}), 2), core::Error);
  EXPECT_THROW(space_to_depth(torch::zeros({1, 1, 5, 4}), 2), core::Error);
}

}  // namespace
}  // namespace lowbit::nn
