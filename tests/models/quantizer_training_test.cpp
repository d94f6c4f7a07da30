// What a network does for its quantizers while training.
#include <gtest/gtest.h>

#include "lowbit/models/factory.h"
#include "small_options.h"

namespace lowbit::models {
namespace {

using torch::Tensor;

// For 16 x 16 pixels, in float64; the same weights in every call.
std::shared_ptr<Network> network(config::Method method, bool quantized, int stable = 0) {
  config::ModelOptions options = small_resnet20(method);
  options.fm.enable = options.wt.enable = quantized;
  options.fm.stable = options.wt.stable = stable;
  torch::manual_seed(1);
  auto result = make_network(options);
  result->to(torch::kFloat64);
  return result;
}

Tensor double_images() {
  torch::manual_seed(2);
  return torch::rand({2, 3, 16, 16}, torch::kFloat64);
}

TEST(NetworkWarmUp, ComputesInFullPrecisionUntilThePassThatIsNamed) {
  for (const auto method : {config::Method::lsq, config::Method::dorefa}) {
    const auto plain = network(method, /*quantized=*/false);
    const auto warming = network(method, /*quantized=*/true, /*stable=*/2);
    const Tensor x = double_images();
    for (int pass = 1; pass <= 3; ++pass) {
      const Tensor expected = plain->forward(x), actual = warming->forward(x);
      EXPECT_EQ(torch::allclose(actual, expected, 1e-9, 1e-9), pass <= 2) << pass;
    }
  }
}

TEST(NetworkWarmUp, FindsTheRangeOfEveryLayer) {
  const auto warming = network(config::Method::lsq, true, /*stable=*/1);
  warming->forward(double_images());
  for (const QuantLayer& layer : warming->quant_layers()) {
    const quant::Quantizer* quantizer = layer.quantizer(config::Tag::wt);
    if (!quantizer) continue;
    const Tensor clip = quantizer->named_parameters()["clip_val"];
    const Tensor largest = layer.weight().abs().max();
    EXPECT_TRUE(torch::equal(clip, largest.expand_as(clip))) << layer.name();
  }
}

TEST(NetworkQuantizationLoss, IsTheSumOverThoseThatHaveOne) {
  const auto lsq = network(config::Method::lsq, true);
  lsq->forward(double_images());
  EXPECT_FALSE(lsq->quantization_loss().defined());

  quant::Quantizer &first = *lsq->quantizers().front(), &last = *lsq->quantizers().back();
  first.set_loss(config::QuantLoss::l1, 2);
  last.set_loss(config::QuantLoss::l2, 1);
  lsq->forward(double_images());
  EXPECT_GT(first.loss().item<double>(), 0);
  EXPECT_GT(last.loss().item<double>(), 0);
  EXPECT_DOUBLE_EQ(lsq->quantization_loss().item<double>(),
                   first.loss().item<double>() + last.loss().item<double>());
}

}  // namespace
}  // namespace lowbit::models
