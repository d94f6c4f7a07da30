// What happens to every quantizer while training: warm-up, losses, level counts, proxquant.
#include <gtest/gtest.h>

#include "helpers.h"
#include "lowbit/core/error.h"

namespace lowbit::quant {
namespace {

using config::Method;
using config::QuantLoss;
using config::QuantOptions;
using config::Tag;
using torch::Tensor;

const QuantShape kThreeChannels = {Tag::fm, {1, 3, 1, 1}, 1, 1};

// As the network does it before each pass.
Tensor count_and_forward(Quantizer& quantizer, const Tensor& x) {
  quantizer.iteration().add_(1);
  return quantizer.forward(x, torch::kFloat64);
}

QuantOptions warming(Method method, int iterations) {
  QuantOptions from = options(method, 4, true);
  from.stable = iterations;
  return from;
}

TEST(WarmUp, PassesItsInputThroughUntilTheIterationThatIsNamed) {
  for (const Method method : {Method::lsq, Method::dorefa}) {
    const auto quantizer = make(kThreeChannels, warming(method, 2));
    const Tensor x = leaf({-0.3, 0.4, 1}, {1, 3, 1, 1});
    EXPECT_TRUE(is(count_and_forward(*quantizer, x), {-0.3, 0.4, 1}));
    const Tensor second = count_and_forward(*quantizer, x);
    EXPECT_TRUE(is(second, {-0.3, 0.4, 1}));
    second.sum().backward();
    EXPECT_TRUE(is(x.grad(), {1, 1, 1}));
    EXPECT_TRUE(is(count_and_forward(*quantizer, x), {0, 1.0 / 3, 1}));
  }
}

TEST(WarmUp, MovesTheClipValueToTheMeanOfTheLargestMagnitudesAndThenLeavesIt) {
  const auto quantizer = make(kThreeChannels, warming(Method::lsq, 3));
  set(*quantizer, "clip_val", {100});  // where it starts does not count
  const Tensor& clip = parameter(*quantizer, "clip_val");
  count_and_forward(*quantizer, leaf({-3, 1, 2}, {1, 3, 1, 1}));
  EXPECT_TRUE(is(clip, {3}));
  count_and_forward(*quantizer, leaf({0, 1, 0}, {1, 3, 1, 1}));
  EXPECT_TRUE(is(clip, {2}));
  count_and_forward(*quantizer, leaf({5, 1, 0}, {1, 3, 1, 1}));
  EXPECT_TRUE(is(clip, {3}));
  count_and_forward(*quantizer, leaf({50, 1, 0}, {1, 3, 1, 1}));
  EXPECT_TRUE(is(clip, {3}));
}

TEST(WarmUp, MultipliesTheLargestMagnitudeByTheFactorThatIsGiven) {
  QuantOptions from = warming(Method::lsq, 2);
  from.correlate = 0.5;
  const auto quantizer = make(kThreeChannels, from);
  count_and_forward(*quantizer, leaf({-3, 1, 2}, {1, 3, 1, 1}));
  count_and_forward(*quantizer, leaf({1, 0, 0}, {1, 3, 1, 1}));
  EXPECT_TRUE(is(parameter(*quantizer, "clip_val"), {1}));
}

TEST(WarmUp, GivesEveryGroupTheSameClipValue) {
  const auto quantizer = make({Tag::wt, {2, 2, 1, 1}, 1, 1}, warming(Method::lsq, 1));
  count_and_forward(*quantizer, leaf({1, -4, 0.5, 0.25}, {2, 2, 1, 1}));
  EXPECT_TRUE(is(parameter(*quantizer, "clip_val"), {4, 4}));
}

TEST(WarmUp, LeavesTheClipValueWithoutAGradient) {
  const auto quantizer = make(kThreeChannels, warming(Method::lsq, 1));
  const Tensor& clip = parameter(*quantizer, "clip_val");
  const Tensor x = leaf({5, 1, 0.2}, {1, 3, 1, 1});
  (count_and_forward(*quantizer, x) * x.detach()).sum().backward();
  EXPECT_TRUE(is(clip.grad(), {0}));
  (count_and_forward(*quantizer, x) * x.detach()).sum().backward();
  EXPECT_NE(clip.grad().item<double>(), 0);
}

TEST(WarmUp, OnNothingButZerosGivesNeitherAnInfiniteNorAMissingNumber) {
  const auto quantizer = make(kThreeChannels, warming(Method::lsq, 1));
  const Tensor x = leaf({0, 0, 0}, {1, 3, 1, 1});
  for (int pass = 0; pass < 2; ++pass) {
    const Tensor y = count_and_forward(*quantizer, x);
    EXPECT_TRUE(is(y, {0, 0, 0}));
    y.sum().backward();
    EXPECT_TRUE(is(parameter(*quantizer, "clip_val").grad(), {0}));
  }
}

// Mean 3, deviation 2: normalized -1, 0, 1.
TEST(WarmUp, AndProxquantTakeNormalizedWeightsForTheInput) {
  QuantOptions from = warming(Method::lsq, 1);
  from.adaptive = config::Adaptive::var_mean;
  from.proxquant = true;
  from.level = 2;
  for (const bool restores : {false, true}) {
    from.adaptive_restore = restores;
    const auto quantizer = make({Tag::wt, {1, 3, 1, 1}, 1, 1}, from);
    const auto outside = [&](double y) { return restores ? y * 2 + 3 : y; };
    const Tensor x = leaf({1, 3, 5}, {1, 3, 1, 1});
    const Tensor y = count_and_forward(*quantizer, x);
    EXPECT_TRUE(is(y, {outside(-1), outside(0), outside(1)}));
    y.sum().backward();
    const double slope = restores ? 1 : 0.5;
    EXPECT_TRUE(is(x.grad(), {slope, slope, slope}));
    EXPECT_TRUE(is(parameter(*quantizer, "clip_val"), {1}));
    set(*quantizer, "clip_val", {2});
    quantizer->set_proxquant(0.25);
    // Codes -2 and 2; round takes 0 to the even of 0 and 1.
    EXPECT_TRUE(is(count_and_forward(*quantizer, x),
                   {outside(-0.25 - 1.5), outside(-1.5), outside(0.25 + 1.5)}));
  }
}

TEST(WarmUp, KeepsNoZeros) {
  EXPECT_FALSE(make(kThreeChannels, warming(Method::lsq, 1))->keeps_zero());
  EXPECT_TRUE(make(kThreeChannels, warming(Method::lsq, 0))->keeps_zero());
}

// Three levels 0, 1, 2: x = 0.25, 0.75, 3 becomes 0, 1, 2; the last element is clipped.
class QuantizationLoss : public testing::Test {
 protected:
  QuantizationLoss() { set(*quantizer_, "clip_val", {2}); }

  // The value, then the gradients of x and of the clip value.
  void expect(QuantLoss loss, double alpha, double value, const std::vector<double>& x_gradient,
              double clip_gradient) {
    quantizer_->set_loss(loss, alpha);
    const Tensor y = quantizer_->forward(x_, torch::kFloat64);
    EXPECT_TRUE(is(y, {0, 1, 2}));
    EXPECT_TRUE(is(quantizer_->loss(), {value}));
    quantizer_->loss().backward();
    EXPECT_TRUE(is(x_.grad(), x_gradient));
    EXPECT_TRUE(is(parameter(*quantizer_, "clip_val").grad(), {clip_gradient}));
  }

  const std::shared_ptr<Quantizer> quantizer_ = make(kThreeChannels, options(Method::lsq, 3, true));
  const Tensor x_ = leaf({0.25, 0.75, 3}, {1, 3, 1, 1});
};

TEST_F(QuantizationLoss, IsNoneUnlessSetAndNoneInEvaluation) {
  quantizer_->forward(x_, torch::kFloat64);
  EXPECT_FALSE(quantizer_->loss().defined());
  quantizer_->set_loss(QuantLoss::l1, 1);
  quantizer_->forward(x_, torch::kFloat64);
  EXPECT_TRUE(quantizer_->loss().defined());
  quantizer_->eval();
  quantizer_->forward(x_, torch::kFloat64);
  EXPECT_FALSE(quantizer_->loss().defined());
}

// Inside, the gradients through x and through y cancel. With x / c = 1/8, 3/8 and sign(y - x) = -1,
// 1, -1 the clip value has (-(0 - 1/8) + (1/2 - 3/8) - 1) / 3.
TEST_F(QuantizationLoss, L1IsTheMeanDistanceTimesAlpha) {
  expect(QuantLoss::l1, 2, 2 * 0.5, {0, 0, 2.0 / 3}, 2 * -0.25);
}

TEST_F(QuantizationLoss, L2IsTheMeanSquareTimesAlpha) {
  expect(QuantLoss::l2, 1, 1.125 / 3, {0, 0, 2.0 / 3}, (0.0625 - 2 * 0.5) / 1.5);
}

// sum xy = 6.75, sum yy = 5. Through y: (x - 2.7 y) / 5 = 0.05, -0.39, -0.48; through x: y / 5.
TEST_F(QuantizationLoss, QdlIsTheDistanceOfTheLeastSquaresFactorFromOne) {
  expect(QuantLoss::qdl, 1, 0.35, {0.05, -0.39 + 0.2, 0.4}, 0.05 * -0.125 - 0.39 * 0.125 - 0.48);
}

TEST_F(QuantizationLoss, QdlOfNothingButZerosIsZero) {
  quantizer_->set_loss(QuantLoss::qdl, 1);
  const Tensor x = leaf({-1, 0, 0.1}, {1, 3, 1, 1});
  quantizer_->forward(x, torch::kFloat64);
  EXPECT_TRUE(is(quantizer_->loss(), {0}));
  quantizer_->loss().backward();
  EXPECT_TRUE(is(x.grad(), {0, 0, 0}));
}

TEST(LevelNum, ScalesALearnedClipValueSoThatTheStepStays) {
  const auto quantizer = make(kThreeChannels, options(Method::lsq, 16, true));
  set(*quantizer, "clip_val", {15});
  const Tensor x = leaf({3.2, 6.8, 14.9}, {1, 3, 1, 1});
  EXPECT_TRUE(is(quantizer->forward(x, torch::kFloat64), {3, 7, 15}));
  const Tensor scaled = quantizer->set_level_num(8);
  EXPECT_TRUE(scaled.is_same(parameter(*quantizer, "clip_val")));
  EXPECT_TRUE(is(scaled, {7}));
  EXPECT_TRUE(is(quantizer->level_num(), {8}));
  EXPECT_TRUE(is(quantizer->forward(x, torch::kFloat64), {3, 7, 7}));
}

TEST(LevelNum, BelowZeroIsADecrement) {
  const auto quantizer = make(kThreeChannels, options(Method::lsq, 16, true));
  quantizer->set_level_num(-12);
  EXPECT_TRUE(is(quantizer->level_num(), {4}));
  quantizer->set_level_num(-1);
  EXPECT_TRUE(is(quantizer->level_num(), {3}));
  EXPECT_TRUE(is(parameter(*quantizer, "clip_val"), {2.0 / 15}));
}

TEST(LevelNum, OfAMethodWithoutALearnedClipValueChangesTheLevelsAlone) {
  const auto quantizer = make(kThreeChannels, options(Method::dorefa, 4, true));
  EXPECT_FALSE(quantizer->set_level_num(3).defined());
  const Tensor x = leaf({0.2, 0.6, 0.8}, {1, 3, 1, 1});
  EXPECT_TRUE(is(quantizer->forward(x, torch::kFloat64), {0, 0.5, 1}));
}

TEST(LevelNum, OutOfRangeIsAnErrorThatChangesNothing) {
  const auto quantizer = make(kThreeChannels, options(Method::lsq, 4, true));
  for (const int wrong : {1, 0, -3, 257}) {
    EXPECT_THROW(quantizer->set_level_num(wrong), core::Error) << wrong;
    EXPECT_TRUE(is(quantizer->level_num(), {4}));
    EXPECT_TRUE(is(parameter(*quantizer, "clip_val"), {1}));
  }
}

TEST(LevelNum, OfSymmetricLevelsEndsWhereZeroWouldBeTheOnlyOne) {
  QuantOptions from = options(Method::lsq, 4, false);
  from.symmetry = true;
  const auto quantizer = make(kThreeChannels, from);
  EXPECT_THROW(quantizer->set_level_num(3), core::Error);
  EXPECT_THROW(quantizer->set_level_num(2), core::Error);
}

TEST(Proxquant, MixesTheInputIntoTheResultWhileTraining) {
  QuantOptions from = options(Method::lsq, 4, true);
  from.proxquant = true;
  const auto quantizer = make(kThreeChannels, from);
  const Tensor x = leaf({-0.4, 0.4, 2}, {1, 3, 1, 1});
  EXPECT_TRUE(is(quantizer->forward(x, torch::kFloat64), {0, 1.0 / 3, 1}));
  quantizer->set_proxquant(0.75);
  const Tensor y = quantizer->forward(x, torch::kFloat64);
  EXPECT_TRUE(is(y, {-0.3, 0.3 + 0.25 / 3, 1.75}));
  y.sum().backward();
  EXPECT_TRUE(is(x.grad(), {0.75, 1, 0.75}));
  EXPECT_TRUE(is(parameter(*quantizer, "clip_val").grad(), {0.25 * (0 + (1.0 / 3 - 0.4) + 1)}));
  quantizer->set_proxquant(1);
  EXPECT_TRUE(is(quantizer->forward(x, torch::kFloat64), {-0.4, 0.4, 2}));
}

TEST(Proxquant, IsLeftOutInEvaluation) {
  QuantOptions from = options(Method::dorefa, 4, true);
  from.proxquant = true;
  const auto quantizer = make(kThreeChannels, from);
  quantizer->set_proxquant(1);
  quantizer->eval();
  EXPECT_TRUE(
      is(quantizer->forward(leaf({-0.4, 0.4, 2}, {1, 3, 1, 1}), torch::kFloat64), {0, 1.0 / 3, 1}));
}

TEST(Proxquant, GoesOnInTheQuantizerThatTakesTheOthersPlace) {
  QuantOptions from = options(Method::lsq, 4, true);
  from.proxquant = true;
  const auto old = make(kThreeChannels, from), quantizer = make(kThreeChannels, from);
  old->set_proxquant(0.75);
  quantizer->inherit(*old);
  EXPECT_EQ(quantizer->proxquant(), 0.75);
}

}  // namespace
}  // namespace lowbit::quant
