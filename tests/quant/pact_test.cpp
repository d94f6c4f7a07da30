#include "lowbit/quant/pact.h"

#include <gtest/gtest.h>

#include <limits>

#include "composed.h"
#include "lowbit/quant/factory.h"

namespace lowbit::quant {
namespace {

using config::Method;
using config::QuantOptions;
using config::Tag;
using torch::Tensor;

QuantOptions pact(int levels) {
  QuantOptions result;
  result.enable = true;
  result.method = Method::pact;
  result.level = levels;
  result.half_range = true;
  return result;
}

std::shared_ptr<Quantizer> make_pact(const QuantOptions& options, Tag tag = Tag::fm) {
  auto quantizer = make_quantizer({tag, {1, 4, 1, 1}, 1, 1}, options);
  quantizer->to(torch::kFloat64);
  return quantizer;
}

Tensor& clip_val(Quantizer& quantizer) {
  return *quantizer.named_parameters().find("clip_val");
}

// The definition in plain operations.
Tensor composed_pact(const Tensor& x, const Tensor& clip, double n) {
  const Tensor r = x.clamp_min(0);
  const Tensor v = torch::where(r < clip, r, clip);
  const Tensor c = clip.detach();
  return straight_through(v, (v * n / c).round() * c / n);
}

TEST(Pact, HasOneLearnedClipValueWhateverTheGroups) {
  QuantOptions options = pact(4);
  options.boundary = 3;
  options.quant_group = 2;
  for (const Tag tag : {Tag::fm, Tag::ot}) {
    const auto quantizer = make_pact(options, tag);
    EXPECT_EQ(quantizer->named_parameters().keys(),
              (std::vector<std::string>{"iteration", "level_num", "clip_val"}));
    EXPECT_TRUE(is(clip_val(*quantizer), {3}));
    EXPECT_EQ(clip_val(*quantizer).dim(), 1);
    EXPECT_TRUE(clip_val(*quantizer).requires_grad());
  }
}

TEST(Pact, WeightsAreDorefas) {
  const auto quantizer = make_quantizer({Tag::wt, {2, 2, 1, 1}, 1, 1}, pact(4));
  EXPECT_EQ(quantizer->named_parameters().keys(),
            (std::vector<std::string>{"iteration", "level_num"}));
}

// Below, on and above zero and the clip value; 1 is a tie that rounds to the even code 2.
TEST(Pact, FollowsTheHandComputedPointsAtBothEnds) {
  const auto quantizer = make_pact(pact(4));
  clip_val(*quantizer).detach().fill_(2);
  const Tensor x = leaf({-0.1, 0, 1, 1.9, 2, 2.1}, {1, 2, 3, 1});
  const Tensor y = quantizer->forward(x, torch::kFloat64);
  EXPECT_TRUE(is(y, {0, 0, 4.0 / 3, 2, 2, 2}));
  y.backward(torch::tensor({1.0, 2.0, 3.0, 4.0, 5.0, 6.0}, torch::kFloat64).view_as(y));
  EXPECT_TRUE(is(x.grad(), {0, 2, 3, 4, 0, 0}));
  EXPECT_TRUE(is(clip_val(*quantizer).grad(), {11}));
}

TEST(Pact, AgreesWithPlainOperationsInEitherMemoryFormat) {
  for (const auto format : {torch::MemoryFormat::Contiguous, torch::MemoryFormat::ChannelsLast})
    for (const int levels : {2, 3, 4, 16, 256})
      for (const double clip : {0.3, 1.0, 1.7, -0.4}) {
        const auto quantizer = make_pact(pact(levels));
        clip_val(*quantizer).detach().fill_(clip);
        const Tensor values = torch::randn({2, 4, 5, 3}, torch::kFloat64);
        const Tensor upstream = torch::randn({2, 4, 5, 3}, torch::kFloat64);
        const Tensor x = values.clone().contiguous(format).set_requires_grad(true);
        const Tensor y = quantizer->forward(x, torch::kFloat64);
        EXPECT_TRUE(y.is_contiguous(format));
        y.backward(upstream);
        const Tensor z = values.clone().set_requires_grad(true);
        const Tensor c = torch::full({1}, clip, torch::kFloat64).set_requires_grad(true);
        const Tensor expected = composed_pact(z, c, levels - 1);
        expected.backward(upstream);
        EXPECT_TRUE(close(y, expected)) << levels << " " << clip;
        EXPECT_TRUE(close(x.grad(), z.grad())) << levels << " " << clip;
        EXPECT_TRUE(close(clip_val(*quantizer).grad(), c.grad())) << levels << " " << clip;
      }
}

TEST(Pact, MeansTheMaximaOfTheWarmUpIntoTheClipValue) {
  QuantOptions options = pact(4);
  options.stable = 2;
  const auto quantizer = make_pact(options);
  const double maxima[] = {3, 5};
  for (int pass = 0; pass < 2; ++pass) {
    quantizer->iteration().fill_(pass + 1);
    const Tensor x = torch::full({1, 4, 2, 2}, -maxima[pass], torch::kFloat64);
    EXPECT_TRUE(torch::equal(quantizer->forward(x, torch::kFloat64), x));
  }
  EXPECT_TRUE(is(clip_val(*quantizer), {4}));
}

TEST(Pact, AnotherLevelCountRescalesTheClipValue) {
  const auto quantizer = make_pact(pact(5));
  EXPECT_TRUE(quantizer->set_level_num(3).defined());
  EXPECT_TRUE(is(clip_val(*quantizer), {0.5}));
  EXPECT_TRUE(is(quantizer->forward(leaf({0.1, 0.2, 0.4, 9}, {1, 4, 1, 1}), torch::kFloat64),
                 {0, 0.25, 0.5, 0.5}));
}

TEST(Pact, ActivationsOfOneValueSurvive) {
  const auto quantizer = make_pact(pact(4));
  for (const double value : {0.0, 0.4, 7.0}) {
    const Tensor x = torch::full({1, 4, 2, 2}, value, torch::kFloat64).set_requires_grad(true);
    quantizer->forward(x, torch::kFloat64).sum().backward();
    EXPECT_TRUE(torch::isfinite(x.grad()).all().item<bool>());
  }
  EXPECT_TRUE(is(clip_val(*quantizer).grad(), {16}));
}

TEST(Pact, NotANumberStaysNotANumber) {
  const auto quantizer = make_pact(pact(4));
  const Tensor x = leaf({0.4, std::numeric_limits<double>::quiet_NaN(), 7, -1}, {1, 4, 1, 1});
  const Tensor y = quantizer->forward(x, torch::kFloat64).flatten();
  EXPECT_TRUE(torch::isnan(y[1]).item<bool>());
  EXPECT_EQ(torch::isnan(y).sum().item<int64_t>(), 1);
}

TEST(Pact, KeepsZero) {
  EXPECT_TRUE(make_pact(pact(4))->keeps_zero());
}

}  // namespace
}  // namespace lowbit::quant
