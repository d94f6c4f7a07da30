// Blocks whose strides or 3x3 convolutions are reshapes: keywords ReShapeResolution and prone.
#include "block_reference.h"
#include "lowbit/core/error.h"

namespace lowbit::models {
namespace {

using config::BlockOrder;
using config::ConvForm;
using testing::ElementsAre;
using torch::relu;
using torch::Tensor;

config::ModelOptions base_options() {
  config::ModelOptions options;
  options.order = BlockOrder::cbsa;
  options.origin = options.fix = options.singleconv = true;
  return options;
}

config::ModelOptions reshape(const char* order) {
  config::ModelOptions options = base_options();
  options.reshape_resolution = true;
  options.shrink_order = order;
  return options;
}

config::ModelOptions prone() {
  config::ModelOptions options = base_options();
  options.prone = true;
  return options;
}

// conv, norm, activation, conv, norm, sum, activation on x, whose strides are those of conv1.
Tensor usual_block(const Written& w, const Tensor& x) {
  const Tensor y = relu(w.norm("bn1.0", w.conv("conv1.0", x)));
  return relu(w.norm("bn2.0", w.conv("conv2.0", y)) + x);
}

Tensor shrink_conv(const Written& w, const Tensor& x) {
  return w.conv("shrink.0.conv", torch::pixel_unshuffle(x, 2));
}

// The reshapes and the 1x1 convolution that stand for a 3x3 one.
Tensor prone_conv(const Written& w, const char* name, const Tensor& x, int64_t stride = 1) {
  const std::string conv = std::string(name) + ".conv";
  return torch::pixel_shuffle(w.conv(conv, torch::pixel_unshuffle(x, 2 * stride)), 2);
}

TEST(ReShapeResolution, PutsItsLayersBeforeAStridedBlockWithoutStrides) {
  ResidualBlock block(kStrided, reshape("cba"));
  expect_equals(block, features(), [](const Written& w, const Tensor& x) {
    return usual_block(w, relu(w.norm("shrink.1", shrink_conv(w, x))));
  });
  ResidualBlock norm_first(kStrided, reshape("bc"));
  expect_equals(norm_first, features(), [](const Written& w, const Tensor& x) {
    const Tensor y = torch::pixel_unshuffle(w.norm("shrink.0", x), 2);
    return usual_block(w, w.conv("shrink.1.conv", y));
  });
}

TEST(ReShapeResolution, LeavesBlocksWithoutStrideAlone) {
  EXPECT_EQ(learned_names(ResidualBlock(kSame, reshape("c"))),
            learned_names(ResidualBlock(kSame, base_options())));
}

TEST(ReShapeResolution, NeedsExactlyOneConvolution) {
  for (const char* order : {"", "ba", "cbc"})
    EXPECT_THROW(ResidualBlock(kStrided, reshape(order)), core::Error) << order;
}

TEST(ReShapeResolution, InABottleneckReachesTheWidthBehindTheBlock) {
  ResidualBlock block({.in = 4, .planes = 2, .stride = 2, .bottleneck = true}, reshape("cb"));
  expect_equals(block, features(), [](const Written& w, const Tensor& x) {
    const Tensor z = w.norm("shrink.1", shrink_conv(w, x));
    Tensor y = relu(w.norm("bn1.0", w.conv("conv1.0", z)));
    y = relu(w.norm("bn2.0", w.conv("conv2.0", y)));
    return relu(w.norm("bn3.0", w.conv("conv3.0", y)) + z);
  });
}

TEST(ReShapeResolution, F1x1AndS1x1MakeTheConvolutionsPointwise) {
  config::ModelOptions options = reshape("cb");
  options.first_conv = options.second_conv = ConvForm::point;
  ResidualBlock block(kStrided, options);
  EXPECT_EQ(block.named_parameters()["conv1.0.weight"].size(2), 1);
  EXPECT_EQ(block.named_parameters()["conv2.0.weight"].size(2), 1);
  expect_equals(block, features(), [](const Written& w, const Tensor& x) {
    return usual_block(w, w.norm("shrink.1", shrink_conv(w, x)));
  });
  EXPECT_EQ(ResidualBlock(kSame, options).named_parameters()["conv1.0.weight"].size(2), 3);
}

TEST(ReShapeResolution, F0x0DropsTheFirstConvolutionItsNormAndItsActivation) {
  config::ModelOptions options = reshape("cb");
  options.first_conv = ConvForm::absent;
  ResidualBlock block(kStrided, options);
  EXPECT_THAT(learned_names(block), ElementsAre("bn2.0.weight", "shrink.0.conv.weight",
                                                "shrink.1.weight", "conv2.0.weight"));
  expect_equals(block, features(), [](const Written& w, const Tensor& x) {
    const Tensor z = w.norm("shrink.1", shrink_conv(w, x));
    return relu(w.norm("bn2.0", w.conv("conv2.0", z)) + z);
  });
}

TEST(ReShapeResolution, F0x0DropsTheSkipsAroundConvolutions) {
  config::ModelOptions options = reshape("cb");
  options.first_conv = ConvForm::absent;
  options.origin = options.fix = false;
  ResidualBlock block(kStrided, options);
  expect_equals(block, features(), [](const Written& w, const Tensor& x) {
    return relu(w.norm("bn2.0", w.conv("conv2.0", w.norm("shrink.1", shrink_conv(w, x)))));
  });
}

TEST(ReShapeResolution, F3x3KeepsTheStridedConvolutionAndTheShortcut) {
  config::ModelOptions options = reshape("cb");
  options.first_conv = ConvForm::full;
  options.second_conv = ConvForm::point;
  ResidualBlock block(kStrided, options);
  expect_equals(block, features(), [](const Written& w, const Tensor& x) {
    const Tensor y = relu(w.norm("bn1.0", w.conv("conv1.0", x, 2)));
    const Tensor skip = w.norm("skip.2", torch::conv2d(x, w.at("skip.1.weight"), {}, 2));
    return relu(w.norm("bn2.0", torch::conv2d(y, w.at("conv2.0.weight"))) + skip);
  });
}

TEST(ReShapeResolution, Ldn3x3ReplacesTheBlockAndKeepsItsNormsUntouched) {
  config::ModelOptions options = reshape("cba");
  options.shrink_full = true;
  ResidualBlock block(kStrided, options);
  EXPECT_THAT(learned_names(block), ElementsAre("bn1.0.weight", "bn2.0.weight",
                                                "shrink.0.conv.weight", "shrink.1.weight"));
  EXPECT_EQ(block.named_parameters()["shrink.0.conv.weight"].size(2), 3);
  EXPECT_EQ(block.named_parameters()["bn1.0.weight"].size(0), 8);
  EXPECT_FALSE(block.named_parameters()["bn1.0.weight"].requires_grad());
  // The norms of the block are not counted, that of the reduction is.
  block.forward(features().to(torch::kFloat32));
  const auto buffers = block.named_buffers();
  EXPECT_EQ(buffers["bn1.0.num_batches_tracked"].item<int64_t>(), 0);
  EXPECT_EQ(buffers["shrink.1.num_batches_tracked"].item<int64_t>(), 1);
  expect_equals(block, features(), [](const Written& w, const Tensor& x) {
    return relu(w.norm("shrink.1", shrink_conv(w, x)));
  });
}

TEST(ReShapeResolution, RealSkipKeepsItsConvolutionInFullPrecision) {
  config::ModelOptions options = reshape("c");
  options.wt.enable = true;
  options.wt.method = config::Method::lsq;
  options.wt.bit = 2;
  options.real_skip = true;
  const ResidualBlock block(kStrided, options);
  EXPECT_EQ(block.named_parameters().find("shrink.0.conv.quant_weight.clip_val"), nullptr);
  EXPECT_NE(block.named_parameters().find("conv1.0.quant_weight.clip_val"), nullptr);
}

TEST(Prone, ReplacesEveryConvolutionOfABlock) {
  ResidualBlock block(kStrided, prone());
  expect_equals(block, features(), [](const Written& w, const Tensor& x) {
    Tensor y = relu(w.norm("bn1.0", prone_conv(w, "conv1.0", x, 2)));
    y = w.norm("bn2.0", prone_conv(w, "conv2.0", y));
    return relu(y + w.norm("skip.2", torch::conv2d(x, w.at("skip.1.weight"), {}, 2)));
  });
}

TEST(Prone, InABottleneckReplacesTheMiddleConvolution) {
  ResidualBlock block({.in = 4, .planes = 1, .stride = 1, .bottleneck = true}, prone());
  expect_equals(block, features(), [](const Written& w, const Tensor& x) {
    Tensor y = relu(w.norm("bn1.0", w.conv("conv1.0", x)));
    y = relu(w.norm("bn2.0", prone_conv(w, "conv2.0", y)));
    return relu(w.norm("bn3.0", w.conv("conv3.0", y)) + x);
  });
}

TEST(Prone, BnBeforeRestoreNormalizesTheRestoredCells) {
  config::ModelOptions options = prone();
  options.norm_before_restore = true;
  ResidualBlock block(kSame, options);
  EXPECT_THAT(learned_names(block), ElementsAre("conv1.0.conv.weight", "conv1.0.bn.weight",
                                                "conv2.0.conv.weight", "conv2.0.bn.weight"));
  expect_equals(block, features(), [](const Written& w, const Tensor& x) {
    const auto conv = [&](const std::string& name, const Tensor& y) {
      const Tensor cells = w.conv(name + ".conv", torch::pixel_unshuffle(y, 2));
      return torch::pixel_shuffle(w.norm(name + ".bn", cells), 2);
    };
    return relu(conv("conv2.0", relu(conv("conv1.0", x))) + x);
  });
}

TEST(Prone, BnBeforeRestoreLeavesTheNormOfAConvolutionThatStays) {
  config::ModelOptions options = prone();
  options.norm_before_restore = true;
  options.prone_downsample = false;
  EXPECT_THAT(learned_names(ResidualBlock(kStrided, options)),
              ElementsAre("bn1.0.weight", "skip.1.weight", "skip.2.weight", "conv1.0.weight",
                          "conv2.0.conv.weight", "conv2.0.bn.weight"));
}

TEST(Prone, BnBeforeRestoreStartsAtZeroByZir) {
  config::ModelOptions options = prone();
  options.norm_before_restore = options.zero_init_residual = true;
  const ResidualBlock block(kSame, options);
  EXPECT_EQ(block.named_parameters()["conv2.0.bn.weight"].max().item<double>(), 0);
  EXPECT_EQ(block.named_parameters()["conv1.0.bn.weight"].min().item<double>(), 1);
}

TEST(Prone, FormsChooseForEachConvolution) {
  config::ModelOptions options = prone();
  options.first_conv = ConvForm::full;
  options.second_conv = ConvForm::point;
  for (const BlockShape& shape : {kSame, kStrided}) {
    const ResidualBlock block(shape, options);
    EXPECT_EQ(block.named_parameters()["conv1.0.weight"].size(2), 3);
    EXPECT_EQ(block.named_parameters()["conv2.0.weight"].size(2), 1);
  }
  options.first_conv = ConvForm::usual;
  options.second_conv = ConvForm::full;
  const ResidualBlock block(kSame, options);
  EXPECT_EQ(block.named_parameters()["conv1.0.conv.weight"].size(0), 16);
  EXPECT_EQ(block.named_parameters()["conv2.0.weight"].size(2), 3);
}

// 6 pixels and cells of 4: one zero on all sides makes 8, which give 4 and not 3.
TEST(Prone, PadsASizeThatTheCellsDoNotDivide) {
  config::ModelOptions options = prone();
  options.dchr = true;
  options.order = BlockOrder::bacs;
  options.fix = false;
  EXPECT_THROW(ResidualBlock(kStrided, options, /*size=*/6), core::Error);
  ResidualBlock block(kStrided, options, /*size=*/2);
  // Of 2 pixels the shortcut is a single one, which is added to all.
  expect_equals(block, features(2), [](const Written& w, const Tensor& x) {
    const Tensor padded = torch::constant_pad_nd(relu(w.norm("bn1.0", x)), {1, 1, 1, 1});
    Tensor y = prone_conv(w, "conv1.0", padded, 2);
    y = prone_conv(w, "conv2.0", relu(w.norm("bn2.0", y)));
    return y + torch::avg_pool2d(x, 2, 2).repeat({1, 2, 1, 1});
  });
}

TEST(Prone, AnOddSizeIsAnError) {
  EXPECT_THROW(ResidualBlock(kSame, prone(), /*size=*/7), core::Error);
}

}  // namespace
}  // namespace lowbit::models
