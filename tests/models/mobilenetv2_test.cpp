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

config::ModelOptions mobilenetv2_options(BlockOrder order) {
  config::ModelOptions result = small_mobilenet("mobilenetv2", config::Family::mobilenetv2, order);
  result.width_alpha = 0.25;
  return result;
}

TEST(InvertedResidual, InOrderCbasHasALinearBottleneckAndItsInputAsSkip) {
  InvertedResidual block({.in = 4, .out = 4, .expansion = 6, .stride = 1},
                         mobilenetv2_options(BlockOrder::cbas));
  EXPECT_THAT(keys(block),
              ElementsAre("conv1.weight[24,4,1,1]", "conv2.weight[24,1,3,3]",
                          "conv3.weight[4,24,1,1]", "bn2.weight[24]", "bn2.bias[24]",
                          "bn1.weight[24]", "bn1.bias[24]", "bn3.weight[4]", "bn3.bias[4]"));
  const State s(block);
  expect_same(block,
              [&](const Tensor& x) {
                Tensor y = torch::relu(s.norm("bn1", s.conv("conv1", x)));
                y = torch::relu(s.norm("bn2", s.conv("conv2", y, 1, 24)));
                return x + s.norm("bn3", s.conv("conv3", y));
              },
              {3, 4, 5, 5});
}

TEST(InvertedResidual, WithoutExpansionHasTwoConvolutions) {
  InvertedResidual block({.in = 6, .out = 4, .expansion = 1, .stride = 1},
                         mobilenetv2_options(BlockOrder::cbas));
  EXPECT_THAT(keys(block),
              ElementsAre("conv1.weight[6,1,3,3]", "conv2.weight[4,6,1,1]", "bn1.weight[6]",
                          "bn1.bias[6]", "bn2.weight[4]", "bn2.bias[4]"));
  const State s(block);
  expect_same(block,
              [&](const Tensor& x) {
                const Tensor y = torch::relu(s.norm("bn1", s.conv("conv1", x, 1, 6)));
                return s.norm("bn2", s.conv("conv2", y));
              },
              {3, 6, 5, 5});
}

TEST(InvertedResidual, InOrderBacsNormalizesBothSidesOfTheSum) {
  InvertedResidual block({.in = 4, .out = 4, .expansion = 6, .stride = 1},
                         mobilenetv2_options(BlockOrder::bacs));
  EXPECT_THAT(keys(block), ElementsAre("conv1.weight[24,4,1,1]", "conv2.weight[24,1,3,3]",
                                       "conv3.weight[4,24,1,1]", "bn2.weight[24]", "bn2.bias[24]",
                                       "bn1.weight[4]", "bn1.bias[4]", "bn3.weight[24]",
                                       "bn3.bias[24]", "skip_bn.weight[4]", "skip_bn.bias[4]",
                                       "stem_bn.weight[4]", "stem_bn.bias[4]"));
  const State s(block);
  expect_same(block,
              [&](const Tensor& x) {
                Tensor y = s.conv("conv1", torch::relu(s.norm("bn1", x)));
                y = s.conv("conv2", torch::relu(s.norm("bn2", y)), 1, 24);
                y = s.conv("conv3", torch::relu(s.norm("bn3", y)));
                return s.norm("stem_bn", y) + s.norm("skip_bn", x);
              },
              {3, 4, 5, 5});
}

TEST(InvertedResidual, ThatChangesStrideOrWidthHasNoSkip) {
  InvertedResidual strided({.in = 4, .out = 4, .expansion = 6, .stride = 2},
                           mobilenetv2_options(BlockOrder::bacs));
  const State a(strided);
  expect_same(strided,
              [&](const Tensor& x) {
                Tensor y = a.conv("conv1", torch::relu(a.norm("bn1", x)));
                y = a.conv("conv2", torch::relu(a.norm("bn2", y)), 2, 24);
                return a.conv("conv3", torch::relu(a.norm("bn3", y)));
              },
              {3, 4, 6, 6});

  InvertedResidual wider({.in = 4, .out = 8, .expansion = 2, .stride = 1},
                         mobilenetv2_options(BlockOrder::cbas));
  const State b(wider);
  expect_same(wider,
              [&](const Tensor& x) {
                Tensor y = torch::relu(b.norm("bn1", b.conv("conv1", x)));
                y = torch::relu(b.norm("bn2", b.conv("conv2", y, 1, 8)));
                return b.norm("bn3", b.conv("conv3", y));
              },
              {3, 4, 5, 5});
}

TEST(InvertedResidual, LearnsASlopeForEachActivation) {
  config::ModelOptions learned = mobilenetv2_options(BlockOrder::cbas);
  learned.activation = config::Activation::prelu;
  const InvertedShape shape = {.in = 4, .out = 8, .expansion = 6, .stride = 1};
  const auto activations = [&](const InvertedResidual& block) {
    std::vector<std::string> found;
    for (const std::string& key : keys(block))
      if (key.starts_with("relu")) found.push_back(key);
    return found;
  };
  EXPECT_THAT(activations({shape, learned}), ElementsAre("relu1.weight[1]", "relu2.weight[1]"));
  learned.order = BlockOrder::bacs;
  EXPECT_THAT(activations({shape, learned}),
              ElementsAre("relu1.weight[1]", "relu2.weight[1]", "relu3.weight[1]"));
}

TEST(InvertedResidual, AnOrderThatItDoesNotHaveIsAnErrorThatListsThem) {
  try {
    InvertedResidual block({.in = 4, .out = 4, .expansion = 6, .stride = 1},
                           mobilenetv2_options(BlockOrder::cbsa));
    ADD_FAILURE();
  } catch (const core::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("cbas or bacs"));
  }
}

using Sizes = std::vector<int64_t>;

TEST(MobileNetV2, ReducesSmallImagesByEightAndLargeOnesByThirtyTwo) {
  const auto small = make_network(mobilenetv2_options(BlockOrder::cbas));
  auto found = values_of(*small, torch::rand({1, 3, 32, 32}));
  EXPECT_EQ(found.at("features.0.2").sizes(), (Sizes{1, 8, 32, 32}));
  EXPECT_EQ(found.at("features.2.bn3").sizes(), (Sizes{1, 6, 32, 32}));
  EXPECT_EQ(found.at("features.4.bn3").sizes(), (Sizes{1, 8, 16, 16}));
  EXPECT_EQ(found.at("features.17.bn3").sizes(), (Sizes{1, 80, 4, 4}));
  EXPECT_EQ(found.at("features.18.2").sizes(), (Sizes{1, 1280, 4, 4}));

  config::ModelOptions large = mobilenetv2_options(BlockOrder::cbas);
  large.cifar_stem = false;
  found = values_of(*make_network(large), torch::rand({1, 3, 64, 64}));
  EXPECT_EQ(found.at("features.0.2").sizes(), (Sizes{1, 8, 32, 32}));
  EXPECT_EQ(found.at("features.2.bn3").sizes(), (Sizes{1, 6, 16, 16}));
  EXPECT_EQ(found.at("features.18.2").sizes(), (Sizes{1, 1280, 2, 2}));
}

TEST(MobileNetV2, WidensTheLastLayerOnlyWithTheOthers) {
  config::ModelOptions wide = mobilenetv2_options(BlockOrder::cbas);
  wide.width_alpha = 1.25;
  const std::vector<std::string> names = keys(*make_network(wide));
  EXPECT_EQ(names.front(), "features.0.0.weight[40,3,3,3]");
  EXPECT_THAT(names, testing::Contains("features.17.conv3.weight[400,1200,1,1]"));
  EXPECT_THAT(names, testing::Contains("features.18.0.weight[1600,400,1,1]"));
  EXPECT_THAT(names, testing::Contains("classifier.0.weight[5,1600]"));
}

TEST(MobileNetV2, WithPreBnHasABareStem) {
  config::ModelOptions pre = mobilenetv2_options(BlockOrder::bacs);
  pre.pre_norm = true;
  const auto network = make_network(pre);
  const std::vector<std::string> names = keys(*network);
  EXPECT_EQ(names[0], "features.0.weight[8,3,3,3]");
  EXPECT_EQ(names[1], "features.1.conv1.weight[8,1,3,3]");
  EXPECT_EQ(network->forward(torch::rand({2, 3, 32, 32})).sizes(), (Sizes{2, 5}));
}

TEST(MobileNetV2, QuantizesTheLastConvolutionButNotTheEnds) {
  config::ModelOptions quantized = mobilenetv2_options(BlockOrder::cbas);
  quantized.fm.enable = quantized.wt.enable = true;
  quantized.fm.method = quantized.wt.method = config::Method::lsq;
  quantized.fm.bit = quantized.wt.bit = 4;
  auto network = make_network(quantized);
  ASSERT_EQ(network->quant_layers().size(), 2U + 16 * 3 + 1);
  EXPECT_EQ(network->quant_layers().front().name(), "features.1.conv1");
  EXPECT_EQ(network->quant_layers().back().name(), "features.18.0");

  quantized.first_last = true;
  network = make_network(quantized);
  ASSERT_EQ(network->quant_layers().size(), 53U);
  EXPECT_EQ(network->quant_layers().front().name(), "features.0.0");
  EXPECT_EQ(network->quant_layers().back().name(), "classifier.0");
  const Tensor logits = network->forward(torch::rand({2, 3, 32, 32}));
  logits.sum().backward();
  EXPECT_TRUE(network->named_parameters()["classifier.0.quant_weight.clip_val"].grad().defined());
}

}  // namespace
}  // namespace lowbit::models
