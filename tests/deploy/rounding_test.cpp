#include "lowbit/deploy/rounding.h"

#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

namespace lowbit::deploy {
namespace {

using torch::Tensor;

class Rounding : public testing::Test {
 protected:
  void SetUp() override { torch::manual_seed(3); }
};

TEST_F(Rounding, MomentsAreThoseOfThePatchesThatAConvolutionSees) {
  const Tensor x = at::randn({2, 3, 6, 5}), weight = at::randn({1, 3, 3, 3});
  const Tensor moments = patch_moments(x, 3, 2, 1);
  ASSERT_EQ(moments.sizes(), (std::vector<int64_t>{27, 27}));
  // v^T M v is the mean square of what a row v gives.
  const Tensor v = weight.flatten().to(torch::kFloat64);
  const double square = at::conv2d(x, weight, {}, 2, 1).square().mean().item<double>();
  EXPECT_NEAR(torch::dot(v, torch::mv(moments, v)).item<double>(), square, 1e-4 * square);
}

TEST_F(Rounding, IsToTheNearestWhereNumbersHaveNothingToDoWithEachOther) {
  const Tensor weight = (at::rand({4, 20}, torch::kFloat64) - 0.5) * 254;
  EXPECT_TRUE(
      torch::equal(round_together(weight, torch::eye(20, torch::kFloat64), 127), weight.round()));
}

TEST_F(Rounding, NeverLeavesItsRange) {
  const Tensor moments = torch::full({9, 9}, 1.0, torch::kFloat64);
  for (const int largest : {127, 7}) {
    const Tensor weight = torch::full({2, 9}, largest - 0.3, torch::kFloat64);
    EXPECT_EQ(round_together(weight, moments, largest).abs().max().item<double>(), largest);
  }
}

TEST_F(Rounding, ChangesProductsOfSmoothImagesLessThanRoundingEachWeight) {
  const Tensor x = at::avg_pool2d(at::randn({4, 3, 36, 36}), 5, 1);
  const Tensor weight = at::randn({8, 3, 3, 3}) * 25;
  const auto error = [&](const Tensor& rounded) {
    return at::conv2d(x, (rounded.view(weight.sizes()) - weight).to(torch::kFloat32), {}, 1, 1)
        .square()
        .mean()
        .item<double>();
  };
  const Tensor together =
      round_together(weight.flatten(1).to(torch::kFloat64), patch_moments(x, 3, 1, 1), 127);
  EXPECT_LT(error(together), 0.5 * error(weight.flatten(1).round()));
}

}  // namespace
}  // namespace lowbit::deploy
