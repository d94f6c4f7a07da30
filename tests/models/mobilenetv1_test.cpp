#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "blocks.h"
#include "lowbit/core/error.h"
#include "lowbit/models/factory.h"
#include "small_options.h"
#include "support/block_reference.h"

namespace lowbit::models {
namespace {

using config::BlockOrder;
using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::expect_same;
using testing_support::keys;
using testing_support::State;
using torch::Tensor;

config::ModelOptions mobilenetv1_options(BlockOrder order) {
  return small_mobilenet("mobilenetv1", config::Family::mobilenetv1, order);
}

config::ModelOptions mobilenetv1_with(BlockOrder order, bool config::ModelOptions::*keyword) {
  config::ModelOptions result = mobilenetv1_options(order);
  result.*keyword = true;
  return result;
}

Tensor pooled(const Tensor& x) {
  return torch::avg_pool2d(x, 2, 2);
}

TEST(SeparableBlock, InOrderCbasAndCbsaIsConvolutionNormActivationTwice) {
  for (const BlockOrder order : {BlockOrder::cbas, BlockOrder::cbsa}) {
    config::ModelOptions plain = mobilenetv1_options(order);
    SeparableBlock block(4, 8, 2, plain);
    EXPECT_THAT(keys(block),
                ElementsAre("bn1.0.weight[4]", "bn1.0.bias[4]", "bn2.0.weight[8]", "bn2.0.bias[8]",
                            "depth_conv.0.weight[4,1,3,3]", "point_conv.0.weight[8,4,1,1]"));
    const State s(block);
    expect_same(block,
                [&](const Tensor& x) {
                  const Tensor y = torch::relu(s.norm("bn1.0", s.conv("depth_conv.0", x, 2, 4)));
                  return torch::relu(s.norm("bn2.0", s.conv("point_conv.0", y)));
                },
                {3, 4, 6, 6});
  }
}

TEST(SeparableBlock, InOrderBacsIsNormActivationConvolutionTwiceInTheInputsWidth) {
  SeparableBlock block(4, 8, 2, mobilenetv1_options(BlockOrder::bacs));
  EXPECT_THAT(keys(block),
              ElementsAre("bn1.0.weight[4]", "bn1.0.bias[4]", "bn2.0.weight[4]", "bn2.0.bias[4]",
                          "depth_conv.0.weight[4,1,3,3]", "point_conv.0.weight[8,4,1,1]"));
  const State s(block);
  expect_same(block,
              [&](const Tensor& x) {
                const Tensor y = s.conv("depth_conv.0", torch::relu(s.norm("bn1.0", x)), 2, 4);
                return s.conv("point_conv.0", torch::relu(s.norm("bn2.0", y)));
              },
              {3, 4, 6, 6});
}

TEST(SeparableBlock, AnOrderThatItDoesNotHaveIsAnErrorThatListsThem) {
  for (const BlockOrder order : {BlockOrder::none, BlockOrder::cabs, BlockOrder::bcas}) {
    try {
      SeparableBlock block(4, 4, 1, mobilenetv1_options(order));
      ADD_FAILURE();
    } catch (const core::Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("cbas, cbsa or bacs"));
    }
  }
}

TEST(SeparableBlock, WithBirealSkipsAroundEachConvolutionOfOneShape) {
  SeparableBlock after(4, 4, 1,
                       mobilenetv1_with(BlockOrder::cbas, &config::ModelOptions::bireal_skip));
  const State a(after);
  expect_same(after,
              [&](const Tensor& x) {
                const Tensor y = torch::relu(a.norm("bn1.0", a.conv("depth_conv.0", x, 1, 4))) + x;
                return torch::relu(a.norm("bn2.0", a.conv("point_conv.0", y))) + y;
              },
              {3, 4, 5, 5});

  SeparableBlock before(4, 4, 1,
                        mobilenetv1_with(BlockOrder::cbsa, &config::ModelOptions::bireal_skip));
  const State b(before);
  expect_same(before,
              [&](const Tensor& x) {
                const Tensor y = torch::relu(b.norm("bn1.0", b.conv("depth_conv.0", x, 1, 4)) + x);
                return torch::relu(b.norm("bn2.0", b.conv("point_conv.0", y)) + y);
              },
              {3, 4, 5, 5});

  SeparableBlock last(4, 4, 1,
                      mobilenetv1_with(BlockOrder::bacs, &config::ModelOptions::bireal_skip));
  const State c(last);
  expect_same(last,
              [&](const Tensor& x) {
                const Tensor y = c.conv("depth_conv.0", torch::relu(c.norm("bn1.0", x)), 1, 4) + x;
                return c.conv("point_conv.0", torch::relu(c.norm("bn2.0", y))) + y;
              },
              {3, 4, 5, 5});
}

TEST(SeparableBlock, WithBirealAloneSkipsNothingWhereStrideOrWidthChanges) {
  // The stride changes, the width does not.
  SeparableBlock strided(4, 4, 2,
                         mobilenetv1_with(BlockOrder::cbsa, &config::ModelOptions::bireal_skip));
  const State a(strided);
  expect_same(strided,
              [&](const Tensor& x) {
                const Tensor y = torch::relu(a.norm("bn1.0", a.conv("depth_conv.0", x, 2, 4)));
                return torch::relu(a.norm("bn2.0", a.conv("point_conv.0", y)) + y);
              },
              {3, 4, 6, 6});

  // The width changes, the stride does not.
  SeparableBlock wider(4, 8, 1,
                       mobilenetv1_with(BlockOrder::cbsa, &config::ModelOptions::bireal_skip));
  EXPECT_THAT(keys(wider), testing::Contains("point_conv.0.weight[8,4,1,1]"));
  const State b(wider);
  expect_same(wider,
              [&](const Tensor& x) {
                const Tensor y = torch::relu(b.norm("bn1.0", b.conv("depth_conv.0", x, 1, 4)) + x);
                return torch::relu(b.norm("bn2.0", b.conv("point_conv.0", y)));
              },
              {3, 4, 5, 5});
}

TEST(SeparableBlock, WithReactPoolsAndRepeatsWhatItSkipsAndSplitsThePointwiseConvolution) {
  config::ModelOptions react =
      mobilenetv1_with(BlockOrder::cbas, &config::ModelOptions::bireal_skip);
  react.react = true;
  SeparableBlock block(4, 8, 2, react);
  EXPECT_THAT(keys(block),
              ElementsAre("bn1.0.weight[4]", "bn1.0.bias[4]", "bn2.0.weight[8]", "bn2.0.bias[8]",
                          "depth_conv.0.weight[4,1,3,3]", "point_conv.0.weight[4,4,1,1]",
                          "point_conv.1.weight[4,4,1,1]"));
  const State s(block);
  expect_same(
      block,
      [&](const Tensor& x) {
        const Tensor y = torch::relu(s.norm("bn1.0", s.conv("depth_conv.0", x, 2, 4))) + pooled(x);
        const Tensor both = torch::cat({s.conv("point_conv.0", y), s.conv("point_conv.1", y)}, 1);
        return torch::relu(s.norm("bn2.0", both)) + torch::cat({y, y}, 1);
      },
      {3, 4, 6, 6});
}

TEST(SeparableBlock, WithReactButOneWidthKeepsOnePointwiseConvolution) {
  config::ModelOptions react =
      mobilenetv1_with(BlockOrder::cbsa, &config::ModelOptions::bireal_skip);
  react.react = true;
  SeparableBlock block(4, 4, 2, react);
  const State s(block);
  expect_same(block,
              [&](const Tensor& x) {
                const Tensor y =
                    torch::relu(s.norm("bn1.0", s.conv("depth_conv.0", x, 2, 4)) + pooled(x));
                return torch::relu(s.norm("bn2.0", s.conv("point_conv.0", y)) + y);
              },
              {3, 4, 6, 6});
}

TEST(SeparableBlock, WithReactAndAWidthThatIsNoMultipleIsAnError) {
  config::ModelOptions react =
      mobilenetv1_with(BlockOrder::cbsa, &config::ModelOptions::bireal_skip);
  react.react = true;
  EXPECT_THROW(SeparableBlock(4, 9, 1, react), core::Error);
}

TEST(SeparableBlock, InOrderBacsHasNoReact) {
  config::ModelOptions bireal =
      mobilenetv1_with(BlockOrder::bacs, &config::ModelOptions::bireal_skip);
  config::ModelOptions react = bireal;
  react.react = true;
  EXPECT_EQ(keys(SeparableBlock(4, 8, 2, react)), keys(SeparableBlock(4, 8, 2, bireal)));
}

TEST(SeparableBlock, WithBlockSkipAddsTheShortcutAtThePointwiseConvolution) {
  SeparableBlock block(4, 8, 2,
                       mobilenetv1_with(BlockOrder::cbsa, &config::ModelOptions::block_skip));
  EXPECT_THAT(keys(block),
              ElementsAre("bn1.0.weight[4]", "bn1.0.bias[4]", "bn2.0.weight[8]", "bn2.0.bias[8]",
                          "skip.1.weight[8,4,1,1]", "skip.2.weight[8]", "skip.2.bias[8]",
                          "depth_conv.0.weight[4,1,3,3]", "point_conv.0.weight[8,4,1,1]"));
  const State s(block);
  expect_same(block,
              [&](const Tensor& x) {
                const Tensor shortcut = torch::relu(s.norm("skip.2", s.conv("skip.1", pooled(x))));
                const Tensor y = torch::relu(s.norm("bn1.0", s.conv("depth_conv.0", x, 2, 4)));
                return torch::relu(s.norm("bn2.0", s.conv("point_conv.0", y)) + shortcut);
              },
              {3, 4, 6, 6});

  SeparableBlock same(4, 4, 1,
                      mobilenetv1_with(BlockOrder::bacs, &config::ModelOptions::block_skip));
  const State t(same);
  expect_same(same,
              [&](const Tensor& x) {
                const Tensor y = t.conv("depth_conv.0", torch::relu(t.norm("bn1.0", x)), 1, 4);
                return t.conv("point_conv.0", torch::relu(t.norm("bn2.0", y))) + x;
              },
              {3, 4, 5, 5});
}

TEST(SeparableBlock, WithOriginHasNoSkip) {
  for (const auto keyword :
       {&config::ModelOptions::bireal_skip, &config::ModelOptions::block_skip}) {
    config::ModelOptions origin = mobilenetv1_with(BlockOrder::cbas, keyword);
    origin.origin = true;
    SeparableBlock block(4, 4, 1, origin);
    const State s(block);
    expect_same(block,
                [&](const Tensor& x) {
                  const Tensor y = torch::relu(s.norm("bn1.0", s.conv("depth_conv.0", x, 1, 4)));
                  return torch::relu(s.norm("bn2.0", s.conv("point_conv.0", y)));
                },
                {3, 4, 5, 5});
  }
}

TEST(SeparableBlock, WithNormal3x3GroupsNothing) {
  SeparableBlock block(4, 8, 2,
                       mobilenetv1_with(BlockOrder::cbsa, &config::ModelOptions::normal3x3));
  EXPECT_THAT(keys(block), testing::Contains("depth_conv.0.weight[4,4,3,3]"));
  const State s(block);
  expect_same(block,
              [&](const Tensor& x) {
                const Tensor y = torch::relu(s.norm("bn1.0", s.conv("depth_conv.0", x, 2)));
                return torch::relu(s.norm("bn2.0", s.conv("point_conv.0", y)));
              },
              {3, 4, 6, 6});
}

config::ModelOptions quantized_mobilenetv1(BlockOrder order) {
  config::ModelOptions result = mobilenetv1_options(order);
  result.fm.enable = result.wt.enable = true;
  result.fm.method = result.wt.method = config::Method::lsq;
  result.fm.bit = result.wt.bit = 2;
  result.width_alpha = 0.25;
  return result;
}

bool quantizes(const Network& network, const std::string& path) {
  for (const QuantLayer& layer : network.quant_layers())
    if (layer.name() == path) return layer.quantizer(config::Tag::wt) != nullptr;
  ADD_FAILURE() << "no layer " << path;
  return false;
}

TEST(MobileNetV1, QuantizesAllButTheEndsByDefault) {
  const auto network = make_network(quantized_mobilenetv1(BlockOrder::cbsa));
  ASSERT_EQ(network->quant_layers().size(), 26U);
  EXPECT_EQ(network->quant_layers()[0].name(), "model.0.depth_conv.0");
  EXPECT_TRUE(quantizes(*network, "model.12.point_conv.0"));
  // The whole width, though a kernel sees one channel.
  EXPECT_EQ(network->quant_layers()[2].quantizer(config::Tag::wt)->shape().shape,
            (std::array<int64_t, 4>{16, 16, 3, 3}));
}

TEST(MobileNetV1, KeepsDepthwiseOrPointwiseConvolutionsInFullPrecision) {
  config::ModelOptions some = quantized_mobilenetv1(BlockOrder::cbsa);
  some.real_depthwise = true;
  auto network = make_network(some);
  EXPECT_FALSE(quantizes(*network, "model.3.depth_conv.0"));
  EXPECT_TRUE(quantizes(*network, "model.3.point_conv.0"));
  some.real_depthwise = false;
  some.real_pointwise = true;
  network = make_network(some);
  EXPECT_TRUE(quantizes(*network, "model.3.depth_conv.0"));
  EXPECT_FALSE(quantizes(*network, "model.3.point_conv.0"));
}

TEST(MobileNetV1, WithFirstLastQuantizesTheEndsToo) {
  config::ModelOptions all = quantized_mobilenetv1(BlockOrder::cbsa);
  all.first_last = true;
  const auto network = make_network(all);
  ASSERT_EQ(network->quant_layers().size(), 28U);
  EXPECT_EQ(network->quant_layers()[0].name(), "root.0");
  EXPECT_TRUE(quantizes(*network, "root.0"));
  EXPECT_TRUE(quantizes(*network, "classifier.0"));
}

TEST(MobileNetV1, WithPreBnHasABareStemAndNormAndActivationBeforeThePooling) {
  config::ModelOptions pre = mobilenetv1_with(BlockOrder::bacs, &config::ModelOptions::pre_norm);
  pre.width_alpha = 0.25;
  const auto network = make_network(pre);
  const std::vector<std::string> names = keys(*network);
  EXPECT_EQ(names.front(), "root.weight[8,3,3,3]");
  EXPECT_THAT(std::vector(names.end() - 4, names.end()),
              ElementsAre("bn2.0.weight[256]", "bn2.0.bias[256]", "classifier.0.weight[5,256]",
                          "classifier.0.bias[5]"));
  // What is normalized and clipped last has a positive mean everywhere.
  const Tensor last = values_of(*network, torch::rand({2, 3, 32, 32})).at("bn2.1");
  EXPECT_EQ(last.min().item<double>(), 0);
  EXPECT_EQ(last.sizes(), (std::vector<int64_t>{2, 256, 2, 2}));
}

TEST(MobileNetV1, HalvesTheResolutionOfItsStemForLargeImages) {
  config::ModelOptions large = mobilenetv1_options(BlockOrder::cbas);
  large.cifar_stem = false;
  large.width_alpha = 0.1;  // of 32 channels 3.2
  const auto network = make_network(large);
  EXPECT_EQ(keys(*network).front(), "root.0.weight[3,3,3,3]");
  const auto values = values_of(*network, torch::rand({1, 3, 64, 64}));
  EXPECT_EQ(values.at("root.2").sizes(), (std::vector<int64_t>{1, 3, 32, 32}));
  EXPECT_EQ(values.at("model.0.relu2.0").sizes(), (std::vector<int64_t>{1, 6, 32, 32}));
  EXPECT_EQ(values.at("model.1.relu2.0").sizes(), (std::vector<int64_t>{1, 12, 16, 16}));
  EXPECT_EQ(values.at("model.12.relu2.0").sizes(), (std::vector<int64_t>{1, 102, 2, 2}));
  EXPECT_EQ(network->forward(torch::rand({2, 3, 64, 64})).sizes(), (std::vector<int64_t>{2, 5}));
}

TEST(MobileNetV1, AWidthWithoutChannelsIsAnError) {
  config::ModelOptions thin = mobilenetv1_options(BlockOrder::cbas);
  thin.width_alpha = 0.02;
  EXPECT_THROW(make_network(thin), core::Error);
}

}  // namespace
}  // namespace lowbit::models
