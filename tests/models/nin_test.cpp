#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lowbit/models/factory.h"
#include "small_options.h"
#include "support/block_reference.h"

namespace lowbit::models {
namespace {

using testing::ElementsAre;
using testing_support::expect_same;
using testing_support::keys;
using testing_support::State;
using torch::Tensor;

config::ModelOptions nin_options() {
  return small_options("nin", config::Family::nin, 4, 8);
}

std::string part(int index) {
  return "body." + std::to_string(index);
}

// The convolution at `index` with its bias and the norm and activation behind it.
Tensor unit(const State& s, int index, const Tensor& x, bool bias = false) {
  Tensor y = s.conv(part(index), x);
  if (bias) y = y + s[part(index) + ".bias"].view({1, -1, 1, 1});
  return torch::relu(s.norm(part(index + 1), y));
}

TEST(Nin, CountsActivationsAndPoolsInItsNames) {
  std::vector<std::string> convs;
  for (const std::string& key : keys(*make_network(nin_options())))
    if (key.find(".weight[") != std::string::npos && key.ends_with("]") &&
        std::count(key.begin(), key.end(), ',') == 3)
      convs.push_back(key);
  EXPECT_THAT(convs, ElementsAre("body.0.weight[192,3,5,5]", "body.3.weight[160,192,1,1]",
                                 "body.6.weight[96,160,1,1]", "body.10.weight[192,96,5,5]",
                                 "body.13.weight[192,192,1,1]", "body.16.weight[192,192,1,1]",
                                 "body.20.weight[192,192,3,3]", "body.23.weight[192,192,1,1]",
                                 "body.26.weight[4,192,1,1]"));
  EXPECT_EQ(keys(*make_network(nin_options())).back(), "body.27.bias[4]");
}

TEST(Nin, IsOneSequenceAndTheGlobalAverage) {
  const auto network = make_network(nin_options());
  const State s(*network);
  expect_same(*network,
              [&](const Tensor& x) {
                Tensor y = unit(s, 0, x, /*bias=*/true);
                y = unit(s, 6, unit(s, 3, y));
                y = torch::max_pool2d(y, 3, 2, 1);
                y = unit(s, 16, unit(s, 13, unit(s, 10, y)));
                y = torch::avg_pool2d(torch::constant_pad_nd(y, {1, 1, 1, 1}), 3, 2);
                y = unit(s, 23, unit(s, 20, y));
                return unit(s, 26, y, /*bias=*/true).mean({2, 3});
              },
              {2, 3, 8, 8});
}

TEST(Nin, QuantizesAllButTheEnds) {
  config::ModelOptions quantized = nin_options();
  quantized.fm.enable = quantized.wt.enable = quantized.first_last = true;
  quantized.fm.method = quantized.wt.method = config::Method::lsq;
  quantized.fm.bit = quantized.wt.bit = 2;
  const auto network = make_network(quantized);
  ASSERT_EQ(network->quant_layers().size(), 7U);
  EXPECT_EQ(network->quant_layers().front().name(), "body.3");
  EXPECT_EQ(network->quant_layers().back().name(), "body.23");
}

TEST(Nin, InHalfPrecisionGivesFloatLogits) {
  const auto network = make_network(nin_options());
  const Tensor logits = network->forward(torch::rand({2, 3, 8, 8}).to(torch::kBFloat16));
  EXPECT_EQ(logits.scalar_type(), torch::kFloat32);
}

}  // namespace
}  // namespace lowbit::models
