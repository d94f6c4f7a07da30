#include <gtest/gtest.h>
#include <torch/autograd.h>

#include "layers.h"
#include "quant/helpers.h"

namespace lowbit::exec {
namespace {

using config::Method;
using torch::Tensor;

config::ModelOptions model(int feature_levels, bool half_range) {
  config::ModelOptions options;
  options.fm = quant::options(Method::lsq, feature_levels, half_range);
  return options;
}

const graph::ConvolutionSpec kSame = {.out = 3, .kernel = 3, .padding = 1};

std::vector<std::string> parameter_names(const torch::nn::Module& module) {
  return module.named_parameters().keys();
}

TEST(Convolution, HoldsTheQuantizersOfTheEnabledTagsInTheOrderOfCheckpoints) {
  config::ModelOptions options = model(4, true);
  options.wt = quant::options(Method::lsq, 4, false);
  options.ot = quant::options(Method::lsq, 4, false);
  const ConvolutionLayer conv(2, kSame, options);
  EXPECT_EQ(
      parameter_names(conv),
      (std::vector<std::string>{"conv.weight", "conv.quant_activation.iteration",
                                "conv.quant_activation.level_num", "conv.quant_activation.clip_val",
                                "conv.quant_weight.iteration", "conv.quant_weight.level_num",
                                "conv.quant_weight.clip_val", "conv.quant_output.iteration",
                                "conv.quant_output.level_num", "conv.quant_output.clip_val"}));
  EXPECT_EQ(conv.quantizer("conv.quant_weight")->groups(), 3);
}

TEST(Convolution, HasNoQuantizerInFullPrecision) {
  graph::ConvolutionSpec full = kSame;
  full.precision = graph::Precision::full;
  const ConvolutionLayer conv(2, full, model(4, true));
  EXPECT_EQ(parameter_names(conv), (std::vector<std::string>{"conv.weight"}));
  EXPECT_EQ(conv.quant_layers().at(0).quant_options(config::Tag::fm), nullptr);
}

// oneDNN's own strided form never returns for 3 to 5 channels in channels-last order.
TEST(Convolution, OfOnePixelWithAStrideEqualsTheTextbook) {
  for (const int64_t channels : {1, 3, 4, 5, 8}) {
    ConvolutionLayer conv(channels, {.out = 2 * channels, .stride = 2});
    conv.use_channels_last();
    const Tensor x = torch::randn({128, channels, 33, 32})
                         .contiguous(torch::MemoryFormat::ChannelsLast)
                         .requires_grad_();
    const Tensor y = conv.forward(x);
    const Tensor upstream = torch::randn_like(y);
    const auto gradients = torch::autograd::grad({y}, {x, conv.tensor("conv.weight")}, {upstream});

    const Tensor wide = x.detach().to(torch::kFloat64).requires_grad_();
    const Tensor weight = conv.tensor("conv.weight").detach().to(torch::kFloat64).requires_grad_();
    const Tensor expected =
        torch::einsum("oi,bihw->bohw", {weight.flatten(1), wide})
            .index({torch::indexing::Slice(), torch::indexing::Slice(),
                    torch::indexing::Slice(torch::indexing::None, torch::indexing::None, 2),
                    torch::indexing::Slice(torch::indexing::None, torch::indexing::None, 2)});
    const auto expected_gradients =
        torch::autograd::grad({expected}, {wide, weight}, {upstream.to(torch::kFloat64)});
    EXPECT_TRUE(torch::allclose(y.to(torch::kFloat64), expected, 1e-5, 1e-5)) << channels;
    EXPECT_TRUE(
        torch::allclose(gradients[0].to(torch::kFloat64), expected_gradients[0], 1e-5, 1e-5))
        << channels;
    EXPECT_TRUE(
        torch::allclose(gradients[1].to(torch::kFloat64), expected_gradients[1], 1e-3, 1e-2))
        << channels;
  }
}

// One pixel in the middle of a 3x3 window of ones.
double sum_with_padding(const config::ModelOptions& options) {
  ConvolutionLayer conv(1, {.out = 1, .kernel = 3, .padding = 1}, options);
  const torch::NoGradGuard no_grad;
  conv.tensor("conv.weight").fill_(1);
  return conv.forward(torch::ones({1, 1, 1, 1})).item<double>();
}

TEST(Convolution, PaddedZerosAreQuantizedToo) {
  // Two levels, -1 and 1: each of the 8 zeros around the pixel becomes -1 (a tie goes to the even
  // code).
  config::ModelOptions options = model(2, false);
  EXPECT_EQ(sum_with_padding(options), 1 - 8);
  options.padding_after_quant = true;
  EXPECT_EQ(sum_with_padding(options), 1);
}

TEST(Convolution, PaddingBehindAQuantizerThatKeepsZeroChangesNoGradient) {
  const auto run = [](const Tensor& input, config::GradType grad_type, bool pad_by_hand) {
    torch::manual_seed(1);
    config::ModelOptions options = model(4, true);
    options.fm.grad_type = grad_type;
    ConvolutionLayer conv(2, {.out = 3, .kernel = 3, .padding = pad_by_hand ? 0 : 1}, options);
    conv.to(torch::kFloat64);
    const Tensor x = input.detach().clone().set_requires_grad(true);
    const Tensor y = conv.forward(pad_by_hand ? torch::constant_pad_nd(x, {1, 1, 1, 1}) : x);
    y.square().sum().backward();
    return std::vector<Tensor>{y.detach(), x.grad(), conv.tensor("conv.weight").grad(),
                               conv.named_parameters()["conv.quant_activation.clip_val"].grad()};
  };
  const Tensor few_inside = torch::full({1, 2, 4, 4}, 3, torch::kFloat64);
  few_inside[0][0][0][0] = 0.4;
  const Tensor mixed = 2 * torch::randn({1, 2, 4, 4}, torch::kFloat64);
  for (const Tensor& input : {few_inside, mixed})
    for (const auto grad_type : {config::GradType::none, config::GradType::ste_scale}) {
      const auto expected = run(input, grad_type, /*pad_by_hand=*/true);
      const auto actual = run(input, grad_type, /*pad_by_hand=*/false);
      for (size_t i = 0; i < expected.size(); ++i)
        EXPECT_TRUE(torch::allclose(actual[i], expected[i], 1e-12, 1e-12)) << i;
    }
}

TEST(Convolution, ComputesInTheTypeOfItsInputAndLearnsInThatOfItsMasters) {
  ConvolutionLayer conv(2, {.out = 3, .kernel = 3, .padding = 1, .bias = true});
  const Tensor y = conv.forward(torch::randn({1, 2, 4, 4}).to(torch::kBFloat16));
  EXPECT_EQ(y.scalar_type(), torch::kBFloat16);
  y.sum().backward();
  for (const auto& parameter : conv.parameters())
    EXPECT_EQ(parameter.grad().scalar_type(), torch::kFloat32);
}

TEST(Convolution, StartsKaimingNormalByFanOut) {
  torch::manual_seed(1);
  const ConvolutionLayer conv(64, {.out = 32, .kernel = 3});
  const double expected = std::sqrt(2.0 / (32 * 9));
  EXPECT_NEAR(conv.tensor("conv.weight").std().item<double>(), expected, 0.03 * expected);
  EXPECT_NEAR(conv.tensor("conv.weight").mean().item<double>(), 0, 0.03 * expected);
}

}  // namespace
}  // namespace lowbit::exec
