// What a network does for its quantizers while training.
#include <gtest/gtest.h>

#include "lowbit/models/evaluation.h"
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
  if (method == config::Method::xnor) options.fm.bit = options.wt.bit = 1;
  if (method == config::Method::non_uniform) options.fm.level = options.wt.level = 3;
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

// All that it holds, as it is now.
std::vector<Tensor> copied_state(const Network& network) {
  std::vector<Tensor> copies;
  for (const NamedTensor& entry : network.state()) copies.push_back(entry.tensor.clone());
  return copies;
}

TEST(Evaluation, OfEveryMethodInTheWarmUpAndBehindIt_LeavesNoTrace) {
  using config::Method;
  for (const auto method :
       {Method::dorefa, Method::pact, Method::lsq, Method::non_uniform, Method::lq, Method::xnor})
    for (const int passes : {0, 1, 3}) {
      const auto tested = network(method, /*quantized=*/true, /*stable=*/2);
      for (int pass = 0; pass < passes; ++pass) tested->forward(double_images());
      const std::vector<Tensor> before = copied_state(*tested);
      const auto evaluated = [&] {
        const Evaluation evaluation(*tested);
        return tested->forward(double_images());
      };
      EXPECT_TRUE(torch::equal(evaluated(), evaluated()));
      EXPECT_TRUE(tested->is_training());
      const std::vector<NamedTensor> after = tested->state();
      for (size_t i = 0; i < after.size(); ++i)
        EXPECT_TRUE(torch::equal(before[i], after[i].tensor)) << after[i].name;
    }
}

// As the published code does: accuracies of a run depend on it.
TEST(NetworkWarmUp, CountsAndLearnsFromValidationWithinARun) {
  const auto warming = network(config::Method::lsq, true, /*stable=*/2);
  warming->eval();
  warming->forward(double_images());
  const quant::Quantizer& quantizer = *warming->quantizers().front();
  EXPECT_EQ(quantizer.iteration().item<double>(), 1);
  EXPECT_NE(quantizer.named_parameters()["clip_val"].flatten()[0].item<double>(), 1);
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
