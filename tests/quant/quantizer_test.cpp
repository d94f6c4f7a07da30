#include "lowbit/quant/quantizer.h"

#include <gtest/gtest.h>
#include <torch/cuda.h>

#include "helpers.h"
#include "lowbit/core/error.h"
#include "lowbit/quant/weight_groups.h"

namespace lowbit::quant {
namespace {

using config::Method;
using config::QuantOptions;
using config::Tag;
using torch::Tensor;

const QuantShape kTwoChannels = {Tag::fm, {1, 2, 1, 1}, 1, 1};

TEST(Quantizer, IsNoneWhereTheTagIsNotEnabled) {
  EXPECT_EQ(make_quantizer(kTwoChannels, {}), nullptr);
}

TEST(Quantizer, AMethodWithoutImplementationIsAnError) {
  EXPECT_THROW(make_quantizer(kTwoChannels, options(Method::none, 2, true)), core::Error);
}

TEST(Quantizer, CountersPrecedeTheClipValueAndAreNotTrained) {
  const auto quantizer = make_quantizer(kTwoChannels, options(Method::lsq, 4, true));
  EXPECT_EQ(quantizer->named_parameters().keys(),
            (std::vector<std::string>{"iteration", "level_num", "clip_val"}));
  EXPECT_FALSE(quantizer->iteration().requires_grad());
  EXPECT_FALSE(quantizer->level_num().requires_grad());
  EXPECT_TRUE(parameter(*quantizer, "clip_val").requires_grad());
  EXPECT_TRUE(is(quantizer->level_num(), {4}));
}

TEST(Lsq, HalfRangeFollowsTheHandComputedPoints) {
  const auto quantizer = make(kTwoChannels, options(Method::lsq, 4, true));
  set(*quantizer, "clip_val", {2});
  // Below, on and above both ends of the clamp; 1 is a tie that rounds to the even code 2.
  const Tensor x = leaf({-0.5, 0, 1, 2, 3, 1.9}, {1, 2, 3, 1});
  const Tensor y = quantizer->forward(x, torch::kFloat64);
  EXPECT_TRUE(is(y, {0, 0, 4.0 / 3, 2, 2, 2}));
  y.backward(torch::tensor({1.0, 2.0, 3.0, 4.0, 5.0, 0.0}, torch::kFloat64).view_as(y));
  EXPECT_TRUE(is(x.grad(), {0, 2, 3, 4, 0, 0}));
  // 3 (2/3 - 1/2) for the tie, 5 for the clipped one.
  EXPECT_TRUE(is(parameter(*quantizer, "clip_val").grad(), {5.5}));
}

TEST(Lsq, FullRangeFollowsTheHandComputedPointsPerOutputChannel) {
  const auto quantizer =
      make({Tag::wt, {2, 3, 1, 1}, 1, 1}, options(Method::lsq, 4, /*half_range=*/true));
  set(*quantizer, "clip_val", {1, -2});
  const Tensor x = leaf({-1, 0.5, 1.5, -3, 0.2, 2}, {2, 3, 1, 1});
  const Tensor y = quantizer->forward(x, torch::kFloat64);
  EXPECT_TRUE(is(y, {-1, 1.0 / 3, 1, -2, 2.0 / 3, 2}));
  y.sum().backward();
  EXPECT_TRUE(is(x.grad(), {1, 1, 0, 0, 1, 1}));
  // A negative clip value counts by its absolute value, whose gradient is -1.
  EXPECT_TRUE(
      is(parameter(*quantizer, "clip_val").grad(), {(1.0 / 3 - 0.5) + 1, -(-1 + (1.0 / 3 - 0.1))}));
}

TEST(Lsq, TheGradientOfTheClipValueIsScaledExceptBetweenOneAndTwo) {
  const auto clip_gradient = [](double scale) {
    QuantOptions from = options(Method::lsq, 4, true);
    from.grad_scale = config::GradScale::fan_scale;
    from.scale = scale;
    const auto quantizer = make({Tag::fm, {1, 4, 1, 1}, 1, 1}, from);
    quantizer->forward(leaf({2, 2, 2, 2}, {1, 4, 1, 1}), torch::kFloat64).sum().backward();
    return parameter(*quantizer, "clip_val").grad().item<double>();
  };
  EXPECT_DOUBLE_EQ(clip_gradient(0.25), 4 * 0.5);
  EXPECT_DOUBLE_EQ(clip_gradient(0.75), 4);
  EXPECT_DOUBLE_EQ(clip_gradient(1), 4 * 2);
}

TEST(Lsq, SteScaleEnlargesTheGradientWhereLittleIsInside) {
  QuantOptions from = options(Method::lsq, 4, true);
  from.grad_type = config::GradType::ste_scale;
  const auto quantizer = make({Tag::fm, {1, 9, 1, 1}, 1, 1}, from);
  const Tensor x = leaf({0.5, 2, 2, 2, 2, 2, 2, 2, 2}, {1, 9, 1, 1});
  quantizer->forward(x, torch::kFloat64).sum().backward();
  EXPECT_TRUE(is(x.grad(), {3, 0, 0, 0, 0, 0, 0, 0, 0}));
}

TEST(Lsq, EachGroupOfChannelsHasItsClipValueInEitherMemoryFormat) {
  QuantOptions from = options(Method::lsq, 4, true);
  from.quant_group = 2;
  const auto quantizer = make({Tag::fm, {1, 4, 1, 1}, 1, 1}, from);
  ASSERT_EQ(parameter(*quantizer, "clip_val").sizes(), (std::vector<int64_t>{1, 2, 1, 1}));
  set(*quantizer, "clip_val", {1, 3});
  const Tensor x = torch::full({2, 4, 2, 2}, 5, torch::kFloat64);
  for (const auto format : {torch::MemoryFormat::Contiguous, torch::MemoryFormat::ChannelsLast}) {
    const Tensor y = quantizer->forward(x.contiguous(format), torch::kFloat64);
    EXPECT_TRUE(y.is_contiguous(format));
    EXPECT_TRUE(y.slice(1, 0, 2).eq(1).all().item<bool>());
    EXPECT_TRUE(y.slice(1, 2, 4).eq(3).all().item<bool>());
  }
}

TEST(Lsq, WeightGroupsAreTheSameInEitherMemoryFormatEvenIfTheySplitAChannel) {
  for (const int groups : {1, 2, 4, 8}) {
    QuantOptions from = options(Method::lsq, 4, false);
    from.quant_group = groups;
    const auto quantizer = make({Tag::wt, {4, 6, 3, 3}, 1, 1}, from);
    {
      const torch::NoGradGuard no_grad;
      parameter(*quantizer, "clip_val").uniform_(0.5, 2);
    }
    const Tensor plain = torch::randn({4, 6, 3, 3}, torch::kFloat64).set_requires_grad(true);
    const Tensor last =
        plain.detach().contiguous(torch::MemoryFormat::ChannelsLast).set_requires_grad(true);
    const Tensor upstream = torch::randn({4, 6, 3, 3}, torch::kFloat64);
    const Tensor y = quantizer->forward(plain, torch::kFloat64);
    const Tensor z = quantizer->forward(last, torch::kFloat64);
    EXPECT_TRUE(torch::equal(y, z)) << groups;
    EXPECT_EQ(z.is_contiguous(torch::MemoryFormat::ChannelsLast), 4 % groups == 0);
    y.backward(upstream);
    z.backward(upstream);
    EXPECT_TRUE(torch::equal(plain.grad(), last.grad())) << groups;
  }
}

TEST(Lsq, KeepsZeroOnlyWhereZeroIsALevelAndNothingIsCounted) {
  QuantOptions half = options(Method::lsq, 4, true);
  EXPECT_TRUE(make(kTwoChannels, half)->keeps_zero());
  half.grad_type = config::GradType::ste_scale;
  EXPECT_FALSE(make(kTwoChannels, half)->keeps_zero());
  QuantOptions full = options(Method::lsq, 4, false);
  EXPECT_FALSE(make(kTwoChannels, full)->keeps_zero());
  full.symmetry = true;
  EXPECT_TRUE(make(kTwoChannels, full)->keeps_zero());
}

TEST(Lsq, SymmetricLevelsContainZero) {
  QuantOptions from = options(Method::lsq, 4, false);
  from.symmetry = true;
  const auto quantizer = make(kTwoChannels, from);
  const Tensor y = quantizer->forward(leaf({-0.6, 0.4, 0.6, 7}, {1, 2, 2, 1}), torch::kFloat64);
  EXPECT_TRUE(is(y, {-1, 0, 1, 1}));
}

TEST(WeightNormalization, TakesMeanAndUnbiasedDeviationOfEachGroupAsConstants) {
  QuantOptions from = options(Method::lsq, 256, false);
  from.adaptive = config::Adaptive::var_mean;
  from.boundary = 255;  // levels at odd integers
  const auto quantizer = make({Tag::wt, {2, 3, 1, 1}, 1, 1}, from);
  const Tensor x = leaf({1, 3, 5, 10, 20, 30}, {2, 3, 1, 1});
  const Tensor y = quantizer->forward(x, torch::kFloat64);
  EXPECT_TRUE(is(y.abs(), {1, 1, 1, 1, 1, 1}));
  y.backward(torch::full_like(y, 6));
  EXPECT_TRUE(is(x.grad(), {3, 3, 3, 0.6, 0.6, 0.6}));
}

TEST(WeightNormalization, AndItsGradientAreThoseOfTensorOperationsInEitherMemoryFormat) {
  for (const int groups : {1, 2, 4, 8}) {
    QuantOptions from = options(Method::lsq, 256, false);
    from.adaptive = config::Adaptive::var_mean;
    from.adaptive_restore = true;
    from.boundary = 1e6;  // nothing is clipped
    from.quant_group = groups;
    const auto quantizer = make({Tag::wt, {4, 6, 3, 3}, 1, 1}, from);
    const Tensor values = torch::randn({4, 6, 3, 3}, torch::kFloat64);
    const Tensor upstream = torch::randn({4, 6, 3, 3}, torch::kFloat64);
    const auto [deviation, mean] = torch::std_mean(values.reshape({groups, -1}), 1, true, true);
    for (const auto format : {torch::MemoryFormat::Contiguous, torch::MemoryFormat::ChannelsLast}) {
      const Tensor x = values.clone().contiguous(format).set_requires_grad(true);
      const WeightNormalization normalization(x, *quantizer);
      const Tensor normalized = normalization.normalize(x);
      EXPECT_TRUE(torch::allclose(normalized.detach().reshape({groups, -1}),
                                  (values.reshape({groups, -1}) - mean) / deviation, 1e-12, 1e-12));
      normalized.backward(upstream);
      EXPECT_TRUE(torch::allclose(x.grad().reshape({groups, -1}),
                                  upstream.reshape({groups, -1}) / deviation, 1e-12, 1e-12));
      const Tensor y = values.clone().contiguous(format).set_requires_grad(true);
      const Tensor restored = normalization.restore(y);
      EXPECT_TRUE(torch::allclose(restored.detach().reshape({groups, -1}),
                                  values.reshape({groups, -1}) * deviation + mean, 1e-12, 1e-12));
      restored.backward(upstream);
      EXPECT_TRUE(torch::allclose(y.grad().reshape({groups, -1}),
                                  upstream.reshape({groups, -1}) * deviation, 1e-12, 1e-12));
    }
  }
}

TEST(WeightNormalization, IsOverTheWholeTensorWhereAskedAndUndoneWhereAsked) {
  QuantOptions from = options(Method::lsq, 4, false);
  from.adaptive = config::Adaptive::var_mean;
  from.independent_norm = from.adaptive_restore = true;
  const auto quantizer = make({Tag::wt, {2, 2, 1, 1}, 1, 1}, from);
  const Tensor x = leaf({1, 2, 4, 5}, {2, 2, 1, 1});
  const double mean = 3, deviation = std::sqrt(10.0 / 3);
  // Normalized: -1.1, -0.55, 0.55, 1.1: clipped to -1 or rounded to -1/3 and so on.
  EXPECT_TRUE(is(quantizer->forward(x, torch::kFloat64),
                 {mean - deviation, mean - deviation / 3, mean + deviation / 3, mean + deviation}));
}

TEST(Dorefa, ActivationsFollowTheHandComputedPoints) {
  QuantOptions from = options(Method::dorefa, 4, true);
  from.boundary = 2;
  const auto quantizer = make(kTwoChannels, from);
  EXPECT_EQ(quantizer->parameters().size(), 2U);
  const Tensor x = leaf({-0.1, 0, 1, 2, 2.1, 1.7}, {1, 2, 3, 1});
  const Tensor y = quantizer->forward(x, torch::kFloat64);
  EXPECT_TRUE(is(y, {0, 0, 4.0 / 3, 2, 2, 2}));
  y.sum().backward();
  EXPECT_TRUE(is(x.grad(), {0, 1, 1, 1, 0, 1}));
}

TEST(Dorefa, TheGradientOfWeightsFlowsThroughTanhAndItsMaximum) {
  const auto quantizer = make({Tag::wt, {2, 2, 1, 1}, 1, 1}, options(Method::dorefa, 4, false));
  const Tensor x = leaf({0.3, -1.2, 0.8, 0.1}, {2, 2, 1, 1});
  const Tensor upstream = torch::tensor({1.0, -2.0, 0.5, 3.0}, torch::kFloat64).view_as(x);
  const Tensor y = quantizer->forward(x, torch::kFloat64);
  // tanh / max: 0.349, -1, 0.797, 0.120; on four levels:
  EXPECT_TRUE(is(y, {1.0 / 3, -1, 1, 1.0 / 3}));
  y.backward(upstream);
  const Tensor z = x.detach().clone().set_requires_grad(true);
  const Tensor t = torch::tanh(z);
  (t / t.abs().max()).backward(upstream);
  EXPECT_TRUE(torch::allclose(x.grad(), z.grad(), 1e-12, 1e-12));
}

TEST(Dorefa, GammaScalesEachGroupAndLearns) {
  QuantOptions from = options(Method::dorefa, 2, false);
  from.gamma = true;
  const auto quantizer = make({Tag::wt, {2, 2, 1, 1}, 1, 1}, from);
  set(*quantizer, "gamma", {2, 3});
  const Tensor y = quantizer->forward(leaf({1, -1, 1, 1}, {2, 2, 1, 1}), torch::kFloat64);
  EXPECT_TRUE(is(y, {2, -2, 3, 3}));
  y.backward(torch::tensor({1.0, 2.0, 3.0, 4.0}, torch::kFloat64).view_as(y));
  EXPECT_TRUE(is(parameter(*quantizer, "gamma").grad(), {-1, 7}));
}

TEST(Dorefa, GammaOfOutputsIsPerGroupOfChannels) {
  QuantOptions from = options(Method::dorefa, 2, true);
  from.gamma = true;
  from.quant_group = 2;
  const auto quantizer = make({Tag::ot, {1, 4, 1, 1}, 1, 1}, from);
  set(*quantizer, "gamma", {2, 3});
  EXPECT_TRUE(
      is(quantizer->forward(leaf({1, 0, 1, 0}, {1, 4, 1, 1}), torch::kFloat64), {2, 0, 3, 0}));
}

TEST(Dorefa, BinaryWeightsAreTheirSignTimesTheMeanMagnitude) {
  QuantOptions from = options(Method::dorefa, 2, false);
  from.binary_mean = true;
  const auto quantizer = make({Tag::wt, {2, 2, 1, 1}, 1, 1}, from);
  const Tensor x = leaf({1, -2, 0, 5}, {2, 2, 1, 1});
  const Tensor y = quantizer->forward(x, torch::kFloat64);
  EXPECT_TRUE(is(y, {2, -2, 2, 2}));
  y.sum().backward();
  EXPECT_TRUE(is(x.grad(), {1, 1, 1, 1}));
}

TEST(Xnor, ActivationsAreSignsWithAMaskedGradient) {
  QuantOptions from = options(Method::xnor, 2, true);
  for (const auto& [type, gradient] :
       {std::pair{config::GradType::none, std::vector<double>{1, 1, 1, 1, 1, 1}},
        std::pair{config::GradType::ste, std::vector<double>{0, 1, 1, 1, 0, 0}},
        std::pair{config::GradType::triangle, std::vector<double>{0, 1, 2, 0.5, 0, 0}}}) {
    from.grad_type = type;
    const auto quantizer = make(kTwoChannels, from);
    const Tensor x = leaf({-1, -0.5, 0, 0.75, 1, 3}, {1, 2, 3, 1});
    const Tensor y = quantizer->forward(x, torch::kFloat64);
    EXPECT_TRUE(is(y, {-1, -1, 1, 1, 1, 1}));
    y.sum().backward();
    EXPECT_TRUE(is(x.grad(), gradient));
  }
}

TEST(Xnor, HasNoGradientOfTypeSteScale) {
  QuantOptions from = options(Method::xnor, 2, true);
  from.grad_type = config::GradType::ste_scale;
  EXPECT_THROW(make(kTwoChannels, from), core::Error);
}

// Two channels of two pixels; the same in either memory format.
TEST(Xnor, TheFactorIsAMeanOverChannelsOrOverPixelsAndNotInTheGradient) {
  QuantOptions from = options(Method::xnor, 2, true);
  from.grad_type = config::GradType::ste;
  for (const auto& [factor, expected] :
       {std::pair{config::XnorFactor::channel, std::vector<double>{2, -3, -2, 3}},
        std::pair{config::XnorFactor::resolution, std::vector<double>{0.75, -0.75, -4.25, 4.25}}}) {
    from.xnor_factor = factor;
    const auto quantizer = make(kTwoChannels, from);
    for (const auto format : {torch::MemoryFormat::Contiguous, torch::MemoryFormat::ChannelsLast}) {
      const Tensor x = torch::tensor({0.5, -1.0, -3.5, 5.0}, torch::kFloat64)
                           .view({1, 2, 2, 1})
                           .repeat({1, 1, 1, 2})
                           .contiguous(format)
                           .set_requires_grad(true);
      const Tensor y = quantizer->forward(x, torch::kFloat64);
      EXPECT_TRUE(y.is_contiguous(format));
      EXPECT_TRUE(is(y.select(3, 0), expected));
      EXPECT_TRUE(is(y.select(3, 1), expected));
      y.sum().backward();
      EXPECT_TRUE(is(x.grad().select(3, 1), {1, 0, 0, 0}));
    }
  }
}

TEST(Xnor, FeaturesOfALinearLayerHaveOneFactorPerSample) {
  QuantOptions from = options(Method::xnor, 2, true);
  from.xnor_factor = config::XnorFactor::channel;
  const auto quantizer = make(kTwoChannels, from);
  EXPECT_TRUE(is(quantizer->forward(leaf({1, -3, 0, 4}, {2, 2}), torch::kFloat64), {2, -2, 2, 2}));
}

TEST(Xnor, WeightsAreTheirSignTimesTheMeanMagnitudeOfTheirGroup) {
  QuantOptions from = options(Method::xnor, 2, false);
  const auto quantizer = make({Tag::wt, {2, 3, 1, 1}, 1, 1}, from);
  EXPECT_EQ(quantizer->named_parameters().keys(),
            (std::vector<std::string>{"iteration", "level_num"}));
  const Tensor x = leaf({1, -2, 0, 0.25, -0.5, -6}, {2, 3, 1, 1});
  const Tensor y = quantizer->forward(x, torch::kFloat64);
  EXPECT_TRUE(is(y, {1, -1, 1, 2.25, -2.25, -2.25}));
  y.backward(torch::tensor({1.0, 2.0, 3.0, 4.0, 5.0, 6.0}, torch::kFloat64).view_as(y));
  EXPECT_TRUE(is(x.grad(), {1, 2, 3, 4, 5, 6}));
  from.grad_type = config::GradType::ste;
  const auto masked = make({Tag::wt, {2, 3, 1, 1}, 1, 1}, from);
  const Tensor z = x.detach().clone().set_requires_grad(true);
  masked->forward(z, torch::kFloat64).sum().backward();
  EXPECT_TRUE(is(z.grad(), {0, 0, 1, 1, 1, 0}));
}

TEST(Xnor, GammaScalesEachGroupOfWeightsAndLearns) {
  QuantOptions from = options(Method::xnor, 2, false);
  from.gamma = true;
  from.grad_type = config::GradType::ste;
  const auto quantizer = make({Tag::wt, {2, 2, 1, 1}, 1, 1}, from);
  EXPECT_EQ(quantizer->named_parameters().keys(),
            (std::vector<std::string>{"iteration", "level_num", "gamma"}));
  set(*quantizer, "gamma", {2, -3});
  const Tensor x = leaf({0.5, -1.5, 0, -0.5}, {2, 2, 1, 1});
  const Tensor y = quantizer->forward(x, torch::kFloat64);
  EXPECT_TRUE(is(y, {2, -2, -0.75, 0.75}));
  y.backward(torch::tensor({1.0, 2.0, 3.0, 5.0}, torch::kFloat64).view_as(y));
  EXPECT_TRUE(is(x.grad(), {2, 0, -9, -15}));
  EXPECT_TRUE(is(parameter(*quantizer, "gamma").grad(), {1 * (1 - 2), 0.25 * (3 - 5)}));
}

// The mask is that of the normalized weight; gamma belongs to what is restored.
TEST(Xnor, WeightsAreNormalizedBeforeAndRestoredAfter) {
  QuantOptions from = options(Method::xnor, 2, false);
  from.adaptive = config::Adaptive::var_mean;
  from.adaptive_restore = from.gamma = true;
  from.grad_type = config::GradType::ste;
  const auto quantizer = make({Tag::wt, {1, 3, 1, 1}, 1, 1}, from);
  set(*quantizer, "gamma", {3});
  // Mean 4, deviation 2: normalized -1, 0, 1, whose mean magnitude is 2/3.
  const Tensor x = leaf({2, 4, 6}, {1, 3, 1, 1});
  const Tensor y = quantizer->forward(x, torch::kFloat64);
  EXPECT_TRUE(is(y, {4 - 2 * 2, 4 + 2 * 2, 4 + 2 * 2}));
  y.sum().backward();
  EXPECT_TRUE(is(x.grad(), {0, 3, 0}));
  EXPECT_TRUE(is(parameter(*quantizer, "gamma").grad(), {2 * 2.0 / 3}));
}

TEST(Xnor, HasNoWarmUpAndCountsTrainingAlone) {
  QuantOptions from = options(Method::xnor, 2, true);
  from.stable = 100;
  const auto quantizer = make(kTwoChannels, from);
  EXPECT_TRUE(is(quantizer->forward(leaf({-3, 2}, {1, 2, 1, 1}), torch::kFloat64), {-1, 1}));
  EXPECT_FALSE(quantizer->counts_evaluation());
  EXPECT_FALSE(quantizer->keeps_zero());
}

TEST(Xnor, AChannelOfZerosBecomesZeroAndAConstantItself) {
  const auto weights = make({Tag::wt, {2, 2, 1, 1}, 1, 1}, options(Method::xnor, 2, false));
  EXPECT_TRUE(
      is(weights->forward(leaf({0, 0, 3, 3}, {2, 2, 1, 1}), torch::kFloat64), {0, 0, 3, 3}));
  QuantOptions from = options(Method::xnor, 2, true);
  from.xnor_factor = config::XnorFactor::resolution;
  const auto features = make(kTwoChannels, from);
  EXPECT_TRUE(
      is(features->forward(leaf({0, 0, -3, -3}, {1, 2, 2, 1}), torch::kFloat64), {0, 0, -3, -3}));
}

TEST(Quantizer, OnAGpuMasterWeightsBecomeHalfPrecisionInOnePass) {
  if (!torch::cuda::is_available()) GTEST_SKIP() << "no GPU";
  for (const Method method : {Method::lsq, Method::dorefa, Method::non_uniform, Method::xnor}) {
    const int levels = method == Method::non_uniform ? 3 : method == Method::xnor ? 2 : 4;
    const auto quantizer =
        make_quantizer({Tag::wt, {8, 4, 3, 3}, 1, 1}, options(method, levels, false));
    const Tensor master = torch::randn({8, 4, 3, 3});
    const Tensor expected = quantizer->forward(master, torch::kFloat32);
    quantizer->to(torch::kCUDA);
    const Tensor device_master = master.to(torch::kCUDA)
                                     .contiguous(torch::MemoryFormat::ChannelsLast)
                                     .set_requires_grad(true);
    for (const auto type : {torch::kFloat16, torch::kBFloat16}) {
      const Tensor y = quantizer->forward(device_master, type);
      EXPECT_EQ(y.scalar_type(), type);
      EXPECT_TRUE(y.is_contiguous(torch::MemoryFormat::ChannelsLast));
      EXPECT_TRUE(torch::equal(y.cpu(), expected.to(type)));
      y.sum().backward();
    }
    EXPECT_EQ(device_master.grad().scalar_type(), torch::kFloat32);
    EXPECT_TRUE(device_master.grad().is_contiguous(torch::MemoryFormat::ChannelsLast));
  }
}

// --- what came from a checkpoint against the options ---

TEST(FollowOptions, ScalesALearnedClipValueThatCameWithOtherLevels) {
  for (const config::Method method : {config::Method::lsq, config::Method::pact}) {
    const auto quantizer = make({config::Tag::fm, {1, 4, 1, 1}}, options(method, 4, true));
    set(*quantizer, "level_num", {16});
    set(*quantizer, "clip_val", {3});
    EXPECT_EQ(quantizer->follow_options(/*clip_loaded=*/true), "16 levels, not 4");
    EXPECT_TRUE(is(parameter(*quantizer, "clip_val"), {3 * 3.0 / 15}));
    EXPECT_TRUE(is(quantizer->level_num(), {4}));
    EXPECT_EQ(quantizer->follow_options(true), "");
    EXPECT_TRUE(is(parameter(*quantizer, "clip_val"), {3 * 3.0 / 15}));
  }
}

TEST(FollowOptions, LeavesAClipValueThatTheFileDidNotGive) {
  const auto quantizer =
      make({config::Tag::fm, {1, 4, 1, 1}}, options(config::Method::lsq, 4, true));
  for (const double levels : {16.0, 0.0, 1.0, std::nan("")}) {
    set(*quantizer, "level_num", {levels});
    quantizer->follow_options(/*clip_loaded=*/levels != 16);
    EXPECT_TRUE(is(parameter(*quantizer, "clip_val"), {1})) << levels;
    EXPECT_TRUE(is(quantizer->level_num(), {4}));
  }
}

// They follow from half range and scale.
TEST(FollowOptions, RestoresTheTablesOfLq) {
  const QuantShape shape{config::Tag::fm, {1, 4, 1, 1}};
  const auto half = make(shape, options(config::Method::lq, 4, true)),
             full = make(shape, options(config::Method::lq, 4, false));
  EXPECT_EQ(half->follow_options(true), "");
  const torch::NoGradGuard no_grad;
  for (const char* name : {"codec_vector", "thrs_multiplier"})
    parameter(*half, name).copy_(parameter(*full, name));
  EXPECT_EQ(half->follow_options(true), "other tables (half range, scale)");
  const auto fresh = make(shape, options(config::Method::lq, 4, true));
  for (const char* name : {"codec_vector", "thrs_multiplier"})
    EXPECT_TRUE(torch::equal(parameter(*half, name), parameter(*fresh, name))) << name;
}

}  // namespace
}  // namespace lowbit::quant
