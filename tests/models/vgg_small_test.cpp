#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lowbit/core/error.h"
#include "lowbit/models/factory.h"
#include "small_options.h"
#include "support/block_reference.h"

namespace lowbit::models {
namespace {

using config::UnitOrder;
using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::expect_same;
using testing_support::keys;
using testing_support::State;
using torch::Tensor;

config::ModelOptions vgg_options(UnitOrder order) {
  config::ModelOptions result = small_options("vgg_small", config::Family::vgg_small, 3, 8);
  result.unit_order = order;
  return result;
}

std::string number(const char* part, int unit) {
  return part + std::to_string(unit);
}

Tensor pooled_after(int unit, const Tensor& x) {
  return unit % 2 == 0 ? torch::max_pool2d(x, 2) : x;
}

Tensor classified_by_vgg(const State& s, const Tensor& x) {
  const Tensor features = torch::relu(s.norm("bn7", x)).flatten(1);
  return torch::linear(features, s["classifier.weight"], s["classifier.bias"]);
}

TEST(VggSmall, InOrderCbaNormalizesWhatEachConvolutionGives) {
  const auto network = make_network(vgg_options(UnitOrder::cba));
  EXPECT_THAT(keys(*network), testing::Contains("bn3.weight[256]"));
  EXPECT_EQ(keys(*network).front(), "bn1.weight[128]");
  const State s(*network);
  expect_same(*network,
              [&](const Tensor& x) {
                Tensor y = x;
                for (int i = 1; i <= 6; ++i)
                  y = pooled_after(
                      i, torch::relu(s.norm(number("bn", i), s.conv(number("conv", i), y))));
                return classified_by_vgg(s, y);
              },
              {2, 3, 8, 8});
}

TEST(VggSmall, InOrderBacAndAbcNormalizesWhatEntersAllButTheFirstConvolution) {
  for (const UnitOrder order : {UnitOrder::bac, UnitOrder::abc}) {
    const auto network = make_network(vgg_options(order));
    EXPECT_THAT(keys(*network),
                ElementsAre("bn3.weight[128]", "bn3.bias[128]", "bn5.weight[256]", "bn5.bias[256]",
                            "bn2.weight[128]", "bn2.bias[128]", "bn4.weight[256]", "bn4.bias[256]",
                            "bn6.weight[512]", "bn6.bias[512]", "bn7.weight[512]", "bn7.bias[512]",
                            "conv1.weight[128,3,3,3]", "conv2.weight[128,128,3,3]",
                            "conv3.weight[256,128,3,3]", "conv4.weight[256,256,3,3]",
                            "conv5.weight[512,256,3,3]", "conv6.weight[512,512,3,3]",
                            "classifier.weight[3,512]", "classifier.bias[3]"));
    const State s(*network);
    expect_same(*network,
                [&](const Tensor& x) {
                  Tensor y = s.conv("conv1", x);
                  for (int i = 2; i <= 6; ++i) {
                    const std::string norm = number("bn", i);
                    y = order == UnitOrder::bac ? torch::relu(s.norm(norm, y))
                                                : s.norm(norm, torch::relu(y));
                    y = pooled_after(i, s.conv(number("conv", i), y));
                  }
                  return classified_by_vgg(s, y);
                },
                {2, 3, 8, 8});
  }
}

TEST(VggSmall, ReadsNeitherNormNorActivationKeywordsAndQuantizesAllButTheEnds) {
  config::ModelOptions other = vgg_options(UnitOrder::bac);
  other.norm = config::Norm::group;
  other.activation = config::Activation::prelu;
  other.fm.enable = other.wt.enable = other.first_last = true;
  other.fm.method = other.wt.method = config::Method::lsq;
  other.fm.bit = other.wt.bit = 2;
  const auto network = make_network(other);
  EXPECT_EQ(keys(*network), keys(*make_network(vgg_options(UnitOrder::bac))));
  ASSERT_EQ(network->quant_layers().size(), 5U);
  EXPECT_EQ(network->quant_layers()[0].name(), "conv2");
}

TEST(VggSmall, ClassifiesAllPixelsOfAnEighthOfTheResolution) {
  config::ModelOptions large = vgg_options(UnitOrder::cba);
  large.input_size = 32;
  EXPECT_THAT(keys(*make_network(large)), testing::Contains("classifier.weight[3,8192]"));
}

TEST(VggSmall, WithoutAnOrderIsAnErrorThatListsThem) {
  try {
    make_network(vgg_options(UnitOrder::none));
    ADD_FAILURE();
  } catch (const core::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("bac, cba or abc"));
  }
}

TEST(VggSmall, ImagesThatVanishAreAnError) {
  config::ModelOptions tiny = vgg_options(UnitOrder::cba);
  tiny.input_size = 7;
  EXPECT_THROW(make_network(tiny), core::Error);
}

}  // namespace
}  // namespace lowbit::models
