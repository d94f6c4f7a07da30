#include <gtest/gtest.h>

#include "layers.h"
#include "quant/helpers.h"

namespace lowbit::exec {
namespace {

using config::Method;
using config::Tag;
using torch::Tensor;

// Activations of the levels 0, 1/3, 2/3, 1 and weights of -1, -1/3, 1/3, 1.
config::ModelOptions quantized() {
  config::ModelOptions options;
  options.fm = quant::options(Method::lsq, 4, true);
  options.wt = quant::options(Method::lsq, 4, false);
  return options;
}

// Two inputs, one output, weight (0.9, -0.2), bias 0.25.
void fill(torch::nn::Module& linear) {
  const torch::NoGradGuard no_grad;
  linear.to(torch::kFloat64);
  linear.named_parameters()["fc.weight"].copy_(torch::tensor({{0.9, -0.2}}, torch::kFloat64));
  linear.named_parameters()["fc.bias"].fill_(0.25);
}

TEST(Linear, HoldsQuantizersOfInputAndWeightAlone) {
  config::ModelOptions options = quantized();
  options.ot = quant::options(Method::lsq, 4, false);
  LinearLayer linear(2, 3, options);
  EXPECT_EQ(linear.named_parameters().keys(),
            (std::vector<std::string>{"fc.weight", "fc.bias", "fc.quant_activation.iteration",
                                      "fc.quant_activation.level_num",
                                      "fc.quant_activation.clip_val", "fc.quant_weight.iteration",
                                      "fc.quant_weight.level_num", "fc.quant_weight.clip_val"}));
  EXPECT_EQ(linear.quant_layers().at(0).quant_options(Tag::ot), nullptr);
}

TEST(Linear, QuantizesItsWeightAsOneGroup) {
  LinearLayer linear(2, 3, quantized());
  const auto& quantizer = *linear.quantizer("fc.quant_weight");
  EXPECT_EQ(quantizer.shape().shape, (std::array<int64_t, 4>{1, 1, 3, 2}));
  EXPECT_EQ(quantizer.shape().fan(), 1 * 3 * 2);
  EXPECT_EQ(quantizer.groups(), 1);
  EXPECT_EQ(linear.named_parameters()["fc.quant_weight.clip_val"].sizes(),
            (std::vector<int64_t>{1, 1, 1, 1}));
}

TEST(Linear, MultipliesTheLevelsNearestToInputAndWeight) {
  LinearLayer linear(2, 1, quantized());
  fill(linear);
  const Tensor x = torch::tensor({{0.4, 0.9}, {2.0, -1.0}}, torch::kFloat64).requires_grad_();
  const Tensor y = linear.forward(x);
  // (1/3, 1) and (1, 0) by (1, -1/3).
  const Tensor expected = torch::tensor({{0.25}, {1.25}}, torch::kFloat64);
  EXPECT_TRUE(torch::allclose(y, expected, 1e-12, 1e-12)) << y;

  y.sum().backward();
  // Straight through where the input is within 0..1.
  const Tensor gradient = torch::tensor({{1.0, -1.0 / 3}, {0.0, 0.0}}, torch::kFloat64);
  EXPECT_TRUE(torch::allclose(x.grad(), gradient, 1e-12, 1e-12)) << x.grad();
  const Tensor weight_gradient = torch::tensor({{1.0 / 3 + 1, 1.0}}, torch::kFloat64);
  EXPECT_TRUE(torch::allclose(linear.tensor("fc.weight").grad(), weight_gradient, 1e-12, 1e-12));
}

TEST(Linear, MultipliesByItsWeightAndAddsItsBias) {
  LinearLayer linear(2, 1);
  fill(linear);
  const Tensor x = torch::tensor({{0.4, 0.9}}, torch::kFloat64);
  EXPECT_NEAR(linear.forward(x).item<double>(), 0.25 + 0.36 - 0.18, 1e-12);
}

TEST(Linear, WidensHalfPrecisionFeatures) {
  LinearLayer linear(4, 3, quantized());
  const Tensor y = linear.forward(torch::rand({2, 4}).to(torch::kBFloat16));
  EXPECT_EQ(y.scalar_type(), torch::kFloat32);
  EXPECT_EQ(y.sizes(), (std::vector<int64_t>{2, 3}));
}

TEST(Linear, StartsUniformWithinTheRootOfItsInputs) {
  torch::manual_seed(1);
  LinearLayer linear(64, 100, config::ModelOptions());
  EXPECT_LE(linear.tensor("fc.weight").abs().max().item<double>(), 0.125);
  EXPECT_GT(linear.tensor("fc.weight").max().item<double>(), 0.12);
  EXPECT_LT(linear.tensor("fc.weight").min().item<double>(), -0.12);
}

}  // namespace
}  // namespace lowbit::exec
