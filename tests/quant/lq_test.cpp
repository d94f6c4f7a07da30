#include "lowbit/quant/lq.h"

#include <gtest/gtest.h>
#include <torch/cuda.h>

#include <cmath>
#include <limits>

#include "helpers.h"
#include "lowbit/quant/factory.h"

namespace lowbit::quant {
namespace {

using config::Adaptive;
using config::QuantOptions;
using config::Tag;
using torch::Tensor;

const QuantShape kLqFeatures = {Tag::fm, {1, 2, 1, 1}, 1, 1};

QuantOptions lq_options(int bits, bool half_range) {
  QuantOptions result;
  result.enable = true;
  result.method = config::Method::lq;
  result.bit = bits;
  result.half_range = half_range;
  return result;
}

std::shared_ptr<Quantizer> make_float64(const QuantShape& shape, const QuantOptions& from) {
  auto quantizer = make_quantizer(shape, from);
  for (const auto& parameter : quantizer->named_parameters())
    if (parameter.value().is_floating_point())
      parameter.value().set_data(parameter.value().to(torch::kFloat64));
  return quantizer;
}

TEST(LqNets, HasTheBuffersOfCheckpointsInTheirOrder) {
  QuantOptions from = lq_options(2, true);
  from.scale = 0.25;
  from.quant_group = 2;
  const auto quantizer = make_quantizer({Tag::fm, {1, 4, 1, 1}, 1, 1}, from);
  EXPECT_EQ(quantizer->named_parameters().keys(),
            (std::vector<std::string>{"iteration", "level_num", "basis", "auxil", "codec_vector",
                                      "codec_index", "thrs_multiplier"}));
  EXPECT_TRUE(quantizer->named_buffers().is_empty());
  for (const Tensor& one : quantizer->parameters()) EXPECT_FALSE(one.requires_grad());
  EXPECT_FALSE(quantizer->counts_evaluation());
  const double base = 0.6745 * 2 / 2;
  EXPECT_EQ(parameter(*quantizer, "basis").sizes(), (std::vector<int64_t>{2, 2}));
  EXPECT_TRUE(is(parameter(*quantizer, "basis"), {base, base, 2 * base, 2 * base}, 1e-7));
  EXPECT_TRUE(is(parameter(*quantizer, "auxil"), {0, 0, 0, 0}));
  EXPECT_TRUE(is(parameter(*quantizer, "codec_vector"), {0, 0, 1, 0, 0, 1, 1, 1}));
  EXPECT_TRUE(is(parameter(*quantizer, "codec_index"), {0, 1, 2, 3}));
  EXPECT_EQ(parameter(*quantizer, "codec_index").scalar_type(), torch::kInt32);
  EXPECT_TRUE(is(parameter(*quantizer, "thrs_multiplier"),
                 {0.25, 0.75, 0, 0, 0, 0.25, 0.75, 0, 0, 0, 0.25, 0.75}));
}

TEST(LqNets, WeightsStartByTheirFanInFullRange) {
  QuantOptions from = lq_options(2, false);
  from.scale = 0.25;
  const auto quantizer = make_quantizer({Tag::wt, {3, 2, 1, 1}, 1, 1}, from);
  const double base = 0.6745 / 2;  // sqrt(2 / fan) is 1
  EXPECT_TRUE(
      is(parameter(*quantizer, "basis"), {base, base, base, 2 * base, 2 * base, 2 * base}, 1e-7));
  EXPECT_TRUE(is(parameter(*quantizer, "codec_vector"), {-1, -1, 1, -1, -1, 1, 1, 1}));
  EXPECT_TRUE(is(parameter(*quantizer, "thrs_multiplier"),
                 {0.75, 0.25, 0, 0, 0, 0.5, 0.5, 0, 0, 0, 0.25, 0.75}));
}

TEST(LqNets, ThreeLevelsHaveOneBit) {
  QuantOptions from = lq_options(2, false);
  from.level = 3;
  const auto quantizer = make_quantizer({Tag::wt, {1, 2, 1, 1}, 1, 1}, from);
  EXPECT_TRUE(is(parameter(*quantizer, "codec_vector"), {-1, 1, -1}));
  EXPECT_EQ(parameter(*quantizer, "basis").sizes(), (std::vector<int64_t>{1, 1}));
  EXPECT_EQ(parameter(*quantizer, "thrs_multiplier").sizes(), (std::vector<int64_t>{2, 3}));
}

TEST(LqNets, LevelsWithoutBitsTakeTheFewestBitsThatHoldThem) {
  for (const auto& [levels, bits] : {std::pair{2, 1}, {4, 2}, {5, 3}, {256, 8}}) {
    QuantOptions from = lq_options(1, true);
    from.bit.reset();
    from.level = levels;
    EXPECT_EQ(parameter(*make_quantizer(kLqFeatures, from), "basis").size(0), bits) << levels;
  }
}

TEST(LqNets, FeaturesFollowTheHandComputedPointsAndLearnInTraining) {
  const auto quantizer = make_float64(kLqFeatures, lq_options(2, true));
  set(*quantizer, "basis", {1, 2});
  const Tensor x = leaf({0, 1, 2, 3.5, -1, 2.9}, {1, 2, 3, 1});
  const Tensor y = quantizer->forward(x, torch::kFloat64);
  EXPECT_TRUE(is(y, {0, 1, 2, 3, 0, 3}));
  y.backward(torch::tensor({1.0, 2.0, 3.0, 4.0, 5.0, 6.0}, torch::kFloat64).view_as(y));
  EXPECT_TRUE(is(x.grad(), {1, 2, 3, 0, 5, 6}));
  // Codes 0 1 2 3 0 3: B^T B = (3 2; 2 3), B^T x = (7.4, 8.4)
  const std::vector<double> solution = {(3 * 7.4 - 2 * 8.4) / 5, (3 * 8.4 - 2 * 7.4) / 5};
  EXPECT_TRUE(is(parameter(*quantizer, "auxil"), solution));
  EXPECT_TRUE(
      is(parameter(*quantizer, "basis"), {0.9 + 0.1 * solution[0], 1.8 + 0.1 * solution[1]}));
  EXPECT_EQ(quantizer->trouble(), "");
}

TEST(LqNets, EvaluationUsesTheStoredBasisAndLeavesIt) {
  const auto quantizer = make_float64(kLqFeatures, lq_options(2, true));
  set(*quantizer, "basis", {1, 2});
  quantizer->eval();
  EXPECT_TRUE(is(quantizer->forward(leaf({1, 5}, {1, 2, 1, 1}), torch::kFloat64), {1, 3}));
  EXPECT_TRUE(is(parameter(*quantizer, "basis"), {1, 2}));
}

TEST(LqNets, CustomUpdateIsTheRunningMeanOverIterations) {
  QuantOptions from = lq_options(1, true);
  from.custom_update = true;
  const auto quantizer = make_float64(kLqFeatures, from);
  set(*quantizer, "basis", {1});
  for (const double iteration : {1.0, 2.0}) {
    set(*quantizer, "iteration", {iteration});
    quantizer->forward(leaf({2 * iteration, 0}, {1, 2, 1, 1}), torch::kFloat64);
  }
  EXPECT_TRUE(is(parameter(*quantizer, "auxil"), {4}));
  EXPECT_TRUE(is(parameter(*quantizer, "basis"), {3}));
}

TEST(LqNets, LearnsWhileTheWarmUpPassesItsInput) {
  QuantOptions from = lq_options(1, true);
  from.stable = 1;
  const auto quantizer = make_float64(kLqFeatures, from);
  set(*quantizer, "basis", {1});
  set(*quantizer, "iteration", {1});
  const Tensor x = leaf({0.75, 3}, {1, 2, 1, 1});
  const Tensor y = quantizer->forward(x, torch::kFloat64);
  EXPECT_TRUE(is(y, {0.75, 3}));
  y.sum().backward();
  EXPECT_TRUE(is(x.grad(), {1, 1}));
  EXPECT_TRUE(is(parameter(*quantizer, "basis"), {0.9 + 0.1 * 1.875}));
  set(*quantizer, "iteration", {2});
  EXPECT_TRUE(is(quantizer->forward(x, torch::kFloat64), {1.0875, 1.0875}));
}

TEST(LqNets, AConstantInputKeepsTheBasisAndIsTold) {
  const auto quantizer = make_float64(kLqFeatures, lq_options(2, true));
  set(*quantizer, "basis", {1, 2});
  EXPECT_TRUE(is(quantizer->forward(leaf({3, 3}, {1, 2, 1, 1}), torch::kFloat64), {3, 3}));
  EXPECT_TRUE(is(parameter(*quantizer, "basis"), {1, 2}));
  EXPECT_NE(quantizer->trouble(), "");
}

TEST(LqNets, NotANumberReachesTheOutputButNotTheBasis) {
  const auto quantizer = make_float64(kLqFeatures, lq_options(2, true));
  set(*quantizer, "basis", {1, 2});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor y = quantizer->forward(leaf({nan, 1, 2, 3}, {1, 2, 2, 1}), torch::kFloat64);
  EXPECT_EQ(torch::isnan(y).sum().item<int64_t>(), 1);
  EXPECT_TRUE(is(parameter(*quantizer, "basis"), {1, 2}));
  EXPECT_NE(quantizer->trouble(), "");
}

TEST(LqNets, SamplesAreDividedByTheirMeanOrDeviationAsConstants) {
  for (const Adaptive adaptive : {Adaptive::mean, Adaptive::var}) {
    QuantOptions from = lq_options(1, true);
    from.adaptive = adaptive;
    const auto quantizer = make_float64(kLqFeatures, from);
    set(*quantizer, "basis", {1});
    const Tensor x = leaf({1, 3, 30, 10}, {2, 2, 1, 1});
    const Tensor y = quantizer->forward(x, torch::kFloat64);
    // Of the two samples. Both numbers of the first case are 1/2 and 3/2 of the mean, of the second
    // 0.7 and 2.1 deviations: nearest to 0 and 1 or to 1 and 1.
    const double unit = 1e-5 + (adaptive == Adaptive::mean ? 2 : std::sqrt(2.0));
    const double ten = 1e-5 + (adaptive == Adaptive::mean ? 20 : std::sqrt(200.0));
    const double low = adaptive == Adaptive::mean ? 0 : 1;
    EXPECT_TRUE(is(y, {low * unit, unit, ten, 0 * low + low * ten}));
    y.backward(torch::tensor({1.0, 2.0, 3.0, 4.0}, torch::kFloat64).view_as(y));
    EXPECT_TRUE(is(x.grad(), {1, 0, 0, 4}));
  }
}

TEST(LqNets, WeightsAreNormalizedPerGroupAndRestored) {
  const std::vector<double> values = {1, 2, 4, 5, 10, 20, 40, 50};
  for (const Adaptive adaptive : {Adaptive::mean, Adaptive::var, Adaptive::mean_var}) {
    QuantOptions from = lq_options(1, false);
    from.adaptive = adaptive;
    const auto quantizer = make_float64({Tag::wt, {2, 4, 1, 1}, 1, 1}, from);
    set(*quantizer, "basis", {1, 1});
    const Tensor x = leaf(values, {2, 4, 1, 1});
    const Tensor y = quantizer->forward(x, torch::kFloat64);
    std::vector<double> expected;
    for (const double unit : {1.0, 10.0}) {
      const double mean = adaptive == Adaptive::var ? 0 : 3 * unit;
      const double deviation = adaptive == Adaptive::mean ? 1 : std::sqrt(10.0 / 3) * unit + 1e-5;
      const double low = adaptive == Adaptive::var ? 1 : -1;
      for (const double sign : {low, low, 1.0, 1.0}) expected.push_back(sign * deviation + mean);
    }
    EXPECT_TRUE(is(y, expected));
    y.backward(torch::full_like(y, 2));
    EXPECT_TRUE(is(x.grad(), std::vector<double>(8, 2)));
  }
}

TEST(LqNets, GroupsOfChannelsAreTheSameInEitherMemoryFormat) {
  QuantOptions from = lq_options(2, true);
  from.quant_group = 2;
  const Tensor x = torch::rand({3, 4, 5, 5}, torch::kFloat64) * 4;
  std::vector<Tensor> bases, outputs;
  for (const auto format : {torch::MemoryFormat::Contiguous, torch::MemoryFormat::ChannelsLast}) {
    const auto quantizer = make_float64({Tag::fm, {1, 4, 1, 1}, 1, 1}, from);
    set(*quantizer, "basis", {1, 0.5, 2, 1});
    outputs.push_back(quantizer->forward(x.contiguous(format), torch::kFloat64));
    EXPECT_TRUE(outputs.back().is_contiguous(format));
    bases.push_back(parameter(*quantizer, "basis"));
  }
  EXPECT_TRUE(torch::equal(outputs[0], outputs[1]));
  EXPECT_TRUE(torch::allclose(bases[0], bases[1], 1e-12, 1e-12));
  EXPECT_LE(outputs[0].slice(1, 2, 4).max().item<double>(), 1.5);
  EXPECT_GT(outputs[0].slice(1, 0, 2).max().item<double>(), 1.5);
}

// Zeros padded before the quantizer or after it: the same values and the same basis.
TEST(LqNets, KeepsZeroInHalfRangeAlsoInTheBasis) {
  QuantOptions from = lq_options(2, true);
  EXPECT_TRUE(make_float64(kLqFeatures, from)->keeps_zero());
  for (const std::vector<double>& start : {std::vector<double>{1, 2}, {1, -0.5}, {-1, 1}}) {
    std::vector<Tensor> bases, outputs;
    for (const bool before : {true, false}) {
      const auto quantizer = make_float64(kLqFeatures, from);
      set(*quantizer, "basis", start);
      const Tensor x = torch::linspace(0.1, 4, 18, torch::kFloat64).view({1, 2, 3, 3});
      const auto pad = [](const Tensor& t) { return torch::constant_pad_nd(t, {1, 1, 1, 1}); };
      outputs.push_back(before ? quantizer->forward(pad(x), torch::kFloat64)
                               : pad(quantizer->forward(x, torch::kFloat64)));
      bases.push_back(parameter(*quantizer, "basis"));
    }
    EXPECT_TRUE(torch::equal(outputs[0], outputs[1]));
    EXPECT_TRUE(torch::allclose(bases[0], bases[1], 1e-12, 1e-12));
  }
  from.adaptive = Adaptive::mean;
  EXPECT_FALSE(make_float64(kLqFeatures, from)->keeps_zero());
  EXPECT_FALSE(make_float64(kLqFeatures, lq_options(2, false))->keeps_zero());
}

TEST(LqNets, OnAGpuItLearnsAsOnTheCpuInAnyPrecision) {
  if (!torch::cuda::is_available()) GTEST_SKIP() << "no GPU";
  for (const bool weights : {false, true}) {
    const QuantShape shape =
        weights ? QuantShape{Tag::wt, {8, 4, 3, 3}, 1, 1} : QuantShape{Tag::fm, {1, 4, 1, 1}, 1, 1};
    const Tensor x = torch::randn({8, 4, 3, 3});
    const auto quantizer = make_quantizer(shape, lq_options(2, !weights));
    const Tensor expected = quantizer->forward(x, torch::kFloat32);
    for (const auto type : {torch::kFloat32, torch::kFloat16, torch::kBFloat16}) {
      const auto on_gpu = make_quantizer(shape, lq_options(2, !weights));
      on_gpu->to(torch::kCUDA);
      const Tensor there = x.to(torch::kCUDA).set_requires_grad(true);
      const Tensor y = on_gpu->forward(there, type);
      EXPECT_TRUE(torch::equal(y.cpu(), expected.to(type)));
      y.sum().backward();
      EXPECT_EQ(there.grad().scalar_type(), torch::kFloat32);
      EXPECT_TRUE(torch::allclose(parameter(*on_gpu, "basis").cpu(), parameter(*quantizer, "basis"),
                                  1e-5, 1e-6));
    }
  }
}

}  // namespace
}  // namespace lowbit::quant
