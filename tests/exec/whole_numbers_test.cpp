#include <ATen/Context.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>

#include "layers.h"
#include "lowbit/exec/arithmetic.h"
#include "quant/helpers.h"

namespace lowbit::exec {
namespace {

using config::Method;
using config::Tag;
using torch::Tensor;

struct Case {
  const char* name;
  config::ModelOptions options;
};

void PrintTo(const Case& value, std::ostream* out) {
  *out << value.name;
}

// Of features and weights.
Case quantized(const char* name, Method method, int levels, bool half_range = true) {
  Case result{name, {}};
  result.options.fm = quant::options(method, levels, half_range);
  result.options.wt = quant::options(method, levels, false);
  return result;
}

Case changed(Case from, const char* name, void (*change)(config::QuantOptions& weight)) {
  from.name = name;
  change(from.options.wt);
  return from;
}

std::vector<Case> cases() {
  const Case lsq = quantized("lsq", Method::lsq, 4),
             dorefa = quantized("dorefa", Method::dorefa, 8),
             xnor = quantized("xnor", Method::xnor, 2);
  std::vector<Case> all = {lsq, dorefa, xnor, quantized("lsq_full_range", Method::lsq, 4, false),
                           quantized("pact", Method::pact, 16)};
  all.push_back(quantized("fatnn", Method::non_uniform, 3));
  all.push_back(quantized("fatnn_closed_form", Method::non_uniform, 3));
  all.back().options.fm.closed_form = true;
  all.push_back(changed(lsq, "lsq_symmetric", [](config::QuantOptions& o) {
    o.level = 8;
    o.symmetry = true;
  }));
  all.push_back(changed(lsq, "lsq_of_normalized",
                        [](config::QuantOptions& o) { o.adaptive = config::Adaptive::var_mean; }));
  all.push_back(changed(dorefa, "dorefa_gamma", [](config::QuantOptions& o) { o.gamma = true; }));
  all.push_back(changed(dorefa, "dorefa_mean", [](config::QuantOptions& o) {
    o.level = 2;
    o.binary_mean = true;
  }));
  all.push_back(changed(xnor, "xnor_gamma", [](config::QuantOptions& o) {
    o.gamma = true;
    o.quant_group = 3;
  }));
  return all;
}

// Learned numbers as training leaves them, not those of a new network.
void age(torch::nn::Module& module) {
  const torch::NoGradGuard no_grad;
  for (auto& item : module.named_parameters())
    if (item.key().ends_with("clip_val") || item.key().ends_with("gamma"))
      item.value().uniform_(0.6, 1.4);
  for (auto& item : module.named_buffers())
    if (item.key().ends_with("basis")) item.value().fill_(0.7);
}

// The number that all values of y are whole multiples of, one or one for each group.
Tensor unit_of(const quant::Quantizer& quantizer, const Tensor& y) {
  const quant::Grid grid = quantizer.grid(y);
  return grid.planes.size() == 1 ? grid.planes[0].scale.abs() : Tensor();
}

Tensor whole(const Tensor& quantized, const Tensor& unit) {
  return torch::round(quantized.to(torch::kFloat64) / unit);
}

class Evaluation : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override { torch::manual_seed(5); }
  torch::NoGradGuard no_grad_;
};

const graph::ConvolutionSpec kShape = {.out = 12, .kernel = 3, .padding = 1, .bias = true};

Tensor evaluated(GraphModule& module, const Tensor& x) {
  return module.forward(x, Arithmetic::whole_numbers);
}

TEST_P(Evaluation, OfAConvolutionIsThatOfExactSums) {
  ConvolutionLayer conv(24, kShape, GetParam().options, /*size=*/9);
  age(conv);
  conv.eval();
  conv.tensor("conv.bias").normal_();
  const Tensor x = torch::randn({4, 24, 9, 9});
  const Tensor y = evaluated(conv, x);

  quant::Quantizer *fm = conv.quantizer("conv.quant_activation"),
                   *wt = conv.quantizer("conv.quant_weight");
  const Tensor padded = torch::constant_pad_nd(x, {1, 1, 1, 1});
  const Tensor features = fm->forward(padded, torch::kFloat32);
  const Tensor weight = wt->forward(conv.tensor("conv.weight"), torch::kFloat32);
  const Tensor x_unit = unit_of(*fm, features), w_unit = unit_of(*wt, weight);
  ASSERT_TRUE(x_unit.defined() && w_unit.defined());
  const Tensor in_groups = weight.view({w_unit.numel(), -1});
  const Tensor w = whole(in_groups, w_unit.view({-1, 1})).view_as(weight);
  EXPECT_LE(w.abs().max().item<double>(), 255);
  EXPECT_TRUE(torch::allclose(whole(features, x_unit) * x_unit, features.to(torch::kFloat64)));
  const Tensor sums = torch::conv2d(whole(features, x_unit), w);
  const Tensor factor =
      (x_unit.flatten() * w_unit.flatten()).repeat_interleave(12 / w_unit.numel());
  const auto per_channel = [](const Tensor& t) {
    return t.to(torch::kFloat32).view({1, -1, 1, 1});
  };
  const Tensor expected =
      sums.to(torch::kFloat32) * per_channel(factor) + per_channel(conv.tensor("conv.bias"));
  EXPECT_TRUE(torch::equal(y, expected));

  const Tensor of_levels = torch::conv2d(features.to(torch::kFloat64), weight.to(torch::kFloat64)) +
                           conv.tensor("conv.bias").to(torch::kFloat64).view({1, -1, 1, 1});
  EXPECT_TRUE(torch::allclose(y.to(torch::kFloat64), of_levels, 1e-5, 1e-5));
}

TEST_P(Evaluation, HasTheSameBitsWithAnotherLibrary) {
  ConvolutionLayer conv(24, kShape, GetParam().options, /*size=*/9);
  age(conv);
  conv.eval();
  const Tensor x = torch::randn({4, 24, 9, 9});
  const Tensor y = evaluated(conv, x);
  const bool enabled = at::globalContext().userEnabledMkldnn();
  at::globalContext().setUserEnabledMkldnn(!enabled);
  const Tensor other = evaluated(conv, x);
  at::globalContext().setUserEnabledMkldnn(enabled);
  EXPECT_TRUE(torch::equal(y, other));
}

TEST_P(Evaluation, HasTheSameBitsOnAGpu) {
  if (!torch::cuda::is_available()) GTEST_SKIP() << "no GPU";
  ConvolutionLayer conv(24, kShape, GetParam().options, /*size=*/9);
  age(conv);
  conv.eval();
  const Tensor x = torch::randn({4, 24, 9, 9});
  const Tensor y = evaluated(conv, x);
  conv.to(torch::kCUDA);
  EXPECT_TRUE(torch::equal(evaluated(conv, x.cuda()).cpu(), y));
}

TEST_P(Evaluation, OfALinearLayerIsThatOfExactSums) {
  config::ModelOptions options = GetParam().options;
  options.wt.quant_group = 0;
  LinearLayer linear(40, 7, options);
  age(linear);
  linear.eval();
  const Tensor x = torch::randn({5, 40});
  const Tensor y = evaluated(linear, x);
  quant::Quantizer *fm = linear.quantizer("fc.quant_activation"),
                   *wt = linear.quantizer("fc.quant_weight");
  const Tensor features = fm->forward(x.view({5, 40, 1, 1}), torch::kFloat32).flatten(1);
  const Tensor weight =
      wt->forward(linear.tensor("fc.weight").view({1, 1, 7, 40}), torch::kFloat32);
  const Tensor x_unit = unit_of(*fm, features), w_unit = unit_of(*wt, weight);
  const Tensor sums = torch::linear(whole(features, x_unit), whole(weight, w_unit).view({7, 40}));
  EXPECT_TRUE(torch::equal(y, sums.to(torch::kFloat32) * (x_unit * w_unit).to(torch::kFloat32) +
                                  linear.tensor("fc.bias")));
}

INSTANTIATE_TEST_SUITE_P(Of, Evaluation, testing::ValuesIn(cases()),
                         [](const auto& given) { return std::string(given.param.name); });

// What whole_numbers() finds in what a quantizer of features gives.
bool finds_any(quant::Quantizer& quantizer, torch::ScalarType type = torch::kFloat32) {
  const Tensor y = quantizer.forward(torch::randn({2, 4, 3, 3}), torch::kFloat32);
  return whole_numbers(quantizer, y.to(type)).has_value();
}

std::shared_ptr<quant::Quantizer> in_evaluation(const config::QuantOptions& options) {
  const auto quantizer = quant::make_quantizer({Tag::fm, {1, 4, 1, 1}, 0, 0}, options);
  quantizer->eval();
  return quantizer;
}

TEST(WholeNumbers, AreForEvaluationInWideFloats) {
  const config::QuantOptions lsq = quant::options(Method::lsq, 4, true);
  const auto quantizer = in_evaluation(lsq);
  const torch::NoGradGuard no_grad;
  EXPECT_TRUE(finds_any(*quantizer));
  EXPECT_FALSE(finds_any(*quantizer, torch::kBFloat16));
  quantizer->train();
  EXPECT_FALSE(finds_any(*quantizer));

  config::QuantOptions warming = lsq;
  warming.stable = 10;
  EXPECT_FALSE(finds_any(*in_evaluation(warming))) << "the features themselves may come back";
  config::QuantOptions groups = lsq;
  groups.quant_group = 2;
  EXPECT_FALSE(finds_any(*in_evaluation(groups))) << "no one unit for all channels";
  EXPECT_FALSE(finds_any(*in_evaluation(quant::options(Method::lq, 4, true))));
}

TEST(WholeNumbers, OfNothingButZerosAreZero) {
  const torch::NoGradGuard no_grad;
  const auto quantizer =
      quant::make_quantizer({Tag::wt, {2, 3, 1, 1}, 0, 0}, quant::options(Method::xnor, 2, false));
  quantizer->eval();
  const Tensor weight = torch::zeros({2, 3, 1, 1});
  const auto numbers = whole_numbers(*quantizer, quantizer->forward(weight, torch::kFloat32));
  ASSERT_TRUE(numbers);
  EXPECT_TRUE(torch::equal(numbers->numbers, weight));
}

}  // namespace
}  // namespace lowbit::exec
