#include "lowbit/models/layer_statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "lowbit/models/factory.h"
#include "small_options.h"

namespace lowbit::models {
namespace {

using config::Method;
using config::Tag;
using torch::Tensor;

// What a quantizer is given in a pass, and what it makes of it in evaluation.
struct Seen {
  Tensor x, y;
};
std::vector<Seen> passes(Network& network, const Tensor& images) {
  std::vector<Seen> seen;
  network.eval();
  network.probe(images, exec::Arithmetic::floats,
                [&](const graph::Node& node, const Tensor& x, const Tensor& y) {
                  if (std::holds_alternative<graph::Quantize>(node.operation))
                    seen.push_back({x.detach().clone(), y.detach().clone()});
                });
  network.train();
  return seen;
}

Tensor clip_value(const quant::Quantizer& quantizer) {
  return quantizer.named_parameters()["clip_val"];
}

class EveryMethod : public testing::TestWithParam<Method> {};

TEST_P(EveryMethod, HasTheErrorOfItsOwnForwardPass) {
  torch::manual_seed(1);
  config::ModelOptions options = small_resnet20(GetParam());
  if (GetParam() == Method::xnor) options.fm.bit = options.wt.bit = 1;
  const auto network = make_network(options);
  const Tensor images = torch::rand({3, 3, 16, 16});
  const auto statistics = layer_statistics(*network, images);
  const auto seen = passes(*network, images);
  ASSERT_EQ(statistics.size(), seen.size());
  ASSERT_EQ(statistics.size(), network->quantizers().size());
  for (size_t i = 0; i < seen.size(); ++i) {
    const Tensor x = seen[i].x.to(torch::kFloat64), y = seen[i].y.to(torch::kFloat64);
    const QuantizerStatistics& s = statistics[i];
    ASSERT_TRUE(s.usable()) << s.layer;
    EXPECT_EQ(s.values, x.numel());
    EXPECT_EQ(std::accumulate(s.codes.begin(), s.codes.end(), int64_t{0}), x.numel());
    const double mse = (x - y).square().mean().item<double>();
    EXPECT_NEAR(s.mse, mse, 1e-6 * mse + 1e-12) << s.layer;
    const double cosine =
        ((x * y).sum() / (x.square().sum() * y.square().sum()).sqrt()).item<double>();
    EXPECT_NEAR(s.relative_error, 1 - cosine * cosine, 1e-6) << s.layer;
    EXPECT_FLOAT_EQ(static_cast<float>(s.input_max), seen[i].x.max().item<float>());
  }
}

INSTANTIATE_TEST_SUITE_P(Methods, EveryMethod,
                         testing::Values(Method::dorefa, Method::pact, Method::lsq, Method::lq,
                                         Method::xnor));

TEST(LayerStatistics, TheClipRangeOfLsqIsItsClipValue) {
  torch::manual_seed(1);
  const auto network = make_network(small_resnet20());
  {
    const torch::NoGradGuard no_grad;
    for (const quant::Quantizer* q : network->quantizers()) clip_value(*q).fill_(0.3);
  }
  const Tensor images = torch::rand({2, 3, 16, 16});
  const auto seen = passes(*network, images);
  const auto statistics = layer_statistics(*network, images);
  for (size_t i = 0; i < seen.size(); ++i) {
    const QuantizerStatistics& s = statistics[i];
    EXPECT_NEAR(s.clip_mean, 0.3, 1e-6);
    EXPECT_NEAR(s.range_high, 0.3, 1e-6);
    EXPECT_NEAR(s.range_low, s.tag == Tag::fm ? 0 : -0.3, 1e-6);
    // Zeros, of which a rectified input has many, and sums of levels, which reach the clip value up
    // to a rounding, are at the ends of the range and not beyond them.
    const double rounding = 1e-5;
    EXPECT_NEAR(s.clipped_high,
                (seen[i].x > 0.3 + rounding).to(torch::kFloat64).mean().item<double>(), 1e-3);
    const double end = (s.tag == Tag::fm ? 0 : -0.3) - rounding;
    EXPECT_NEAR(s.clipped_low, (seen[i].x < end).to(torch::kFloat64).mean().item<double>(), 1e-3);
    EXPECT_EQ(s.bits, 2);
    EXPECT_EQ(s.levels, 4);
  }
}

TEST(LayerStatistics, CodesThatNothingFallsOnAreDead) {
  torch::manual_seed(1);
  const auto network = make_network(small_resnet20());
  const torch::NoGradGuard no_grad;
  for (const QuantLayer& layer : network->quant_layers())
    if (layer.quantizer(Tag::wt)) clip_value(*layer.quantizer(Tag::wt)).fill_(1000);
  for (const QuantizerStatistics& s : layer_statistics(*network, torch::rand({2, 3, 16, 16})))
    if (s.tag == Tag::wt) {
      EXPECT_EQ(s.dead_codes(), 2) << s.layer;  // but the two next to zero
      EXPECT_EQ(s.clipped_high, 0);
    }
}

TEST(LayerStatistics, LeaveNoTraceAlsoInTheWarmUp) {
  torch::manual_seed(1);
  config::ModelOptions options = small_resnet20();
  options.fm.stable = options.wt.stable = 10;
  const auto network = make_network(options);
  const Tensor images = torch::rand({2, 3, 16, 16});
  network->forward(images);
  std::vector<Tensor> before;
  for (const NamedTensor& entry : network->state()) before.push_back(entry.tensor.clone());
  const auto first = layer_statistics(*network, images);
  const auto state = network->state();
  for (size_t i = 0; i < state.size(); ++i)
    EXPECT_TRUE(torch::equal(before[i], state[i].tensor)) << state[i].name;
  EXPECT_TRUE(network->is_training());
  const auto second = layer_statistics(*network, images);
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].codes, second[i].codes);
    EXPECT_EQ(first[i].mse, second[i].mse);
  }
}

TEST(LayerStatistics, AClipValueThatIsNoNumberIsSaidAndNotThrown) {
  torch::manual_seed(1);
  const auto network = make_network(small_resnet20());
  {
    const torch::NoGradGuard no_grad;
    clip_value(*network->quantizers()[1]).fill_(std::numeric_limits<float>::quiet_NaN());
  }
  const auto statistics = layer_statistics(*network, torch::rand({2, 3, 16, 16}));
  const auto broken = std::find_if(statistics.begin(), statistics.end(),
                                   [](const QuantizerStatistics& s) { return !s.usable(); });
  ASSERT_NE(broken, statistics.end());
  EXPECT_TRUE(std::isnan(broken->relative_error));
  EXPECT_THAT(to_line(*broken), testing::HasSubstr("gives no numbers"));
}

// Values of a quantizer's input are whole images: 4 channels of 16 x 16 in the first layers.
TEST(LayerStatistics, OfManyActivationsAreThoseOfTheFirstImages) {
  torch::manual_seed(1);
  const auto network = make_network(small_resnet20());
  const Tensor images = torch::rand({70, 3, 16, 16});
  const auto of_all = layer_statistics(*network, images);
  const auto of_first = layer_statistics(*network, images.narrow(0, 0, 64));
  ASSERT_EQ(of_all[0].tag, Tag::fm);
  EXPECT_EQ(of_all[0].values, 65536);
  EXPECT_EQ(of_all[0].codes, of_first[0].codes);
  EXPECT_EQ(of_all[0].mse, of_first[0].mse);
}

TEST(LayerStatistics, OfANetworkInFullPrecisionAreNone) {
  config::ModelOptions options = small_resnet20();
  options.fm.enable = options.wt.enable = false;
  EXPECT_TRUE(layer_statistics(*make_network(options), torch::rand({1, 3, 16, 16})).empty());
}

}  // namespace
}  // namespace lowbit::models
