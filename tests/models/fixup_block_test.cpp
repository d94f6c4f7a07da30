#include "block_reference.h"
#include "lowbit/core/error.h"

namespace lowbit::models {
namespace {

using config::BlockOrder;
using testing::ElementsAre;
using torch::relu;
using torch::Tensor;

config::ModelOptions fixup(BlockOrder order, bool fix, bool bias = true) {
  config::ModelOptions options;
  options.order = order;
  options.origin = options.fixup = true;
  options.fix = fix;
  options.fixup_bias = bias;
  return options;
}

class FixupBlock : public ResidualBlock {
 public:
  FixupBlock(const BlockShape& shape, const config::ModelOptions& options, int64_t stages)
      : ResidualBlock(shape, options, /*size=*/8, stages) {}
};

TEST(FixupBlock, HasABiasBeforeAndBehindEachConvolution) {
  for (const bool fix : {false, true}) {
    FixupBlock block(kSame, fixup(BlockOrder::cbsa, fix), 3);
    expect_equals(block, features(), [fix](const Written& w, const Tensor& x) {
      Tensor y = relu(w.conv("conv1.0", x + w.at("fixup_bias1a")) + w.at("fixup_bias1b"));
      y = w.conv("conv2.0", y + w.at("fixup_bias2a"));
      if (!fix) y = relu(y);
      y = y * w.at("fixup_scale") + w.at("fixup_bias2b") + x;
      return fix ? relu(y) : y;
    });
  }
}

TEST(FixupBlock, OfOrderCbasHasTheInnerBiasBehindTheActivation) {
  FixupBlock block(kSame, fixup(BlockOrder::cbas, false), 3);
  expect_equals(block, features(), [](const Written& w, const Tensor& x) {
    Tensor y = relu(w.conv("conv1.0", x + w.at("fixup_bias1a"))) + w.at("fixup_bias1b");
    y = relu(w.conv("conv2.0", y + w.at("fixup_bias2a")));
    return y * w.at("fixup_scale") + w.at("fixup_bias2b") + x;
  });
}

TEST(FixupBlock, StartsAShortcutThatChangesTheShapeFromTheBiasedInput) {
  FixupBlock block(kStrided, fixup(BlockOrder::cbsa, true), 3);
  expect_equals(block, features(), [](const Written& w, const Tensor& x) {
    const Tensor start = x + w.at("fixup_bias1a");
    Tensor y = relu(w.conv("conv1.0", start, 2) + w.at("fixup_bias1b"));
    y = w.conv("conv2.0", y + w.at("fixup_bias2a"));
    return relu(y * w.at("fixup_scale") + w.at("fixup_bias2b") +
                w.conv("skip.1", torch::avg_pool2d(start, 2, 2)));
  });
}

TEST(FixupBlock, WithoutBiasesKeepsTheFactorAlone) {
  FixupBlock block(kSame, fixup(BlockOrder::cbsa, true, /*bias=*/false), 3);
  EXPECT_THAT(learned_names(block), ElementsAre("fixup_scale", "conv1.0.weight", "conv2.0.weight"));
  expect_equals(block, features(), [](const Written& w, const Tensor& x) {
    return relu(w.conv("conv2.0", relu(w.conv("conv1.0", x))) * w.at("fixup_scale") + x);
  });
}

TEST(FixupBlock, OfABottleneckTreatsBothInnerConvolutionsAlike) {
  for (const BlockOrder order : {BlockOrder::cbsa, BlockOrder::cbas}) {
    FixupBlock block(kBottleneck, fixup(order, true), 4);
    expect_equals(block, features(), [order](const Written& w, const Tensor& x) {
      const auto activate = [&](const Tensor& y, const char* bias) {
        return order == BlockOrder::cbsa ? relu(y + w.at(bias)) : relu(y) + w.at(bias);
      };
      const Tensor start = x + w.at("fixup_bias1a");
      Tensor y = activate(w.conv("conv1.0", start), "fixup_bias1b");
      y = activate(w.conv("conv2.0", y + w.at("fixup_bias2a"), 2), "fixup_bias2b");
      y = w.conv("conv3.0", y + w.at("fixup_bias3a"));
      return relu(y * w.at("fixup_scale") + w.at("fixup_bias3b") +
                  w.conv("skip.1", torch::avg_pool2d(start, 2, 2)));
    });
  }
}

// Standard deviation of `name` in units of Kaiming's.
double relative_deviation(const Network& block, const char* name) {
  const Tensor weight = block.named_parameters()[name];
  const double fan_out = static_cast<double>(weight.numel()) / static_cast<double>(weight.size(1));
  return weight.pow(2).mean().sqrt().item<double>() / std::sqrt(2 / fan_out);
}

TEST(FixupBlock, StartsTheBranchAtZeroAndScalesTheOtherConvolutionsByTheDepth) {
  torch::manual_seed(1);
  const FixupBlock basic({.in = 32, .planes = 64, .stride = 2}, fixup(BlockOrder::cbsa, true), 4);
  EXPECT_NEAR(relative_deviation(basic, "conv1.0.weight"), 0.5, 0.05);
  EXPECT_NEAR(relative_deviation(basic, "skip.1.weight"), 1, 0.1);
  EXPECT_EQ(relative_deviation(basic, "conv2.0.weight"), 0);
  const FixupBlock bottleneck({.in = 64, .planes = 64, .stride = 2, .bottleneck = true},
                              fixup(BlockOrder::cbsa, true), 16);
  EXPECT_NEAR(relative_deviation(bottleneck, "conv1.0.weight"), 0.5, 0.05);
  EXPECT_NEAR(relative_deviation(bottleneck, "conv2.0.weight"), 0.5, 0.05);
  EXPECT_EQ(relative_deviation(bottleneck, "conv3.0.weight"), 0);
}

TEST(FixupBlock, ComputesInHalfPrecisionWithFloatScalars) {
  FixupBlock block(kSame, fixup(BlockOrder::cbsa, true), 3);
  EXPECT_EQ(block.forward(torch::randn({1, 4, 8, 8}, torch::kBFloat16)).scalar_type(),
            torch::kBFloat16);
}

TEST(FixupBlock, OtherOrdersAndSeveralBranchesAreErrors) {
  EXPECT_THROW(FixupBlock(kSame, fixup(BlockOrder::bacs, true), 3), core::Error);
  config::ModelOptions options = fixup(BlockOrder::cbsa, true);
  options.base = 2;
  EXPECT_THROW(FixupBlock(kSame, options, 3), core::Error);
}

}  // namespace
}  // namespace lowbit::models
