#include "lowbit/quant/non_uniform.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "composed.h"
#include "lowbit/core/error.h"
#include "lowbit/quant/factory.h"

namespace lowbit::quant {
namespace {

using config::Method;
using config::QuantOptions;
using config::Tag;
using torch::Tensor;

QuantOptions non_uniform(int levels, bool half_range = true) {
  QuantOptions result;
  result.enable = true;
  result.method = Method::non_uniform;
  result.level = levels;
  result.half_range = half_range;
  return result;
}

QuantOptions closed_form(int levels) {
  QuantOptions result = non_uniform(levels);
  result.closed_form = true;
  return result;
}

constexpr QuantShape kNonUniformFeatures = {Tag::fm, {1, 4, 1, 1}, 1, 1};
constexpr QuantShape kNonUniformWeights = {Tag::wt, {4, 2, 3, 3}, 1, 1};

std::shared_ptr<Quantizer> make_running(const QuantShape& shape, const QuantOptions& options) {
  auto quantizer = make_quantizer(shape, options);
  quantizer->to(torch::kFloat64);
  quantizer->iteration().fill_(1);
  return quantizer;
}

Tensor entry(Quantizer& quantizer, const std::string& name) {
  const auto parameters = quantizer.named_parameters();
  const Tensor* found = parameters.find(name);
  return found ? *found : quantizer.named_buffers()[name];
}

std::vector<Tensor> alphas(Quantizer& quantizer) {
  std::vector<Tensor> result;
  for (const auto& item : quantizer.named_parameters())
    if (item.key().starts_with("alpha")) result.push_back(item.value());
  return result;
}

// One number per group, laid out to broadcast over x.
Tensor broadcast(const Tensor& per_group, const Tensor& x, Tag tag) {
  if (tag == Tag::wt) return per_group.repeat_interleave(x.size(0) / per_group.numel(), 0);
  if (per_group.dim() == 1) return per_group;
  return per_group.repeat_interleave(x.size(1) / per_group.numel(), 1);
}

// Rounds the clamped v; with ste_scale the gradient of the clamp is scaled, but by no factor
// below 2.
Tensor rounded(const Tensor& v, double low, bool ste_scale) {
  Tensor w = v.clamp(low, low + 1);
  const auto inside = ((v >= low) & (v <= low + 1)).sum().item<double>();
  const double scale = std::sqrt(static_cast<double>(v.numel()) / inside);
  if (ste_scale && inside > 0 && scale >= 2) w = straight_through(scale * w, w);
  return straight_through(w, w.round());
}

// The definition in plain operations; a: |alpha| laid out.
Tensor composed_non_uniform(const Tensor& x, const std::vector<Tensor>& a, bool half_range,
                            bool scale) {
  if (!half_range) return rounded(x * a[0], -1, scale) + rounded(x * a[1], 0, scale);
  Tensor y = rounded(x * a[0], 0, scale);
  Tensor start = 1 / a[0];
  for (size_t i = 1; i < a.size(); ++i) {
    y = y + rounded((x - start) * a[i], 0, scale);
    start = start + 1 / a[i];
  }
  return y;
}

// Values and all gradients of a quantizer with alphas of either sign against the definition.
void expect_as_composed(const QuantShape& shape, const QuantOptions& options,
                        torch::MemoryFormat format) {
  const auto quantizer = make_running(shape, options);
  const bool half = shape.tag != Tag::wt && options.half_range;
  const std::vector<int64_t> sizes =
      shape.tag == Tag::wt ? std::vector<int64_t>{4, 2, 3, 3} : std::vector<int64_t>{2, 4, 5, 3};
  const Tensor values = 2 * torch::randn(sizes, torch::kFloat64);
  const Tensor upstream = torch::randn(sizes, torch::kFloat64);
  const Tensor z = values.clone().set_requires_grad(true);
  std::vector<Tensor> leaves, laid_out;
  for (Tensor& alpha : alphas(*quantizer)) {
    alpha.detach().copy_((torch::rand(alpha.sizes(), torch::kFloat64) + 0.5) *
                         (2 * torch::randint(2, alpha.sizes(), torch::kFloat64) - 1));
    leaves.push_back(alpha.detach().clone().set_requires_grad(true));
    laid_out.push_back(broadcast(leaves.back().abs(), values, shape.tag));
  }
  Tensor expected =
      composed_non_uniform(z, laid_out, half, options.grad_type == config::GradType::ste_scale);
  if (options.closed_form)
    expected = expected * ((expected * z).sum() / (expected * expected).sum()).detach();
  expected.backward(upstream);
  const Tensor x = values.clone().contiguous(format).set_requires_grad(true);
  const Tensor y = quantizer->forward(x, torch::kFloat64);
  y.backward(upstream);
  EXPECT_TRUE(y.is_contiguous(format));
  EXPECT_TRUE(close(y, expected));
  EXPECT_TRUE(close(x.grad(), z.grad()));
  const std::vector<Tensor> learned = alphas(*quantizer);
  for (size_t i = 0; i < learned.size(); ++i)
    EXPECT_TRUE(close(learned[i].grad(), leaves[i].grad())) << "alpha" << i;
}

TEST(NonUniform, HasASlopeForEachStepOfHalfRangeAndAFrozenClipValue) {
  QuantOptions options = non_uniform(4);
  options.scale = 3;
  options.boundary = 2;
  const auto quantizer = make_running(kNonUniformFeatures, options);
  EXPECT_EQ(quantizer->named_parameters().keys(),
            (std::vector<std::string>{"iteration", "level_num", "clip_val", "alpha0", "alpha1",
                                      "alpha2"}));
  EXPECT_TRUE(is(entry(*quantizer, "clip_val"), {2}));
  EXPECT_FALSE(entry(*quantizer, "clip_val").requires_grad());
  EXPECT_TRUE(is(entry(*quantizer, "alpha2"), {1.5}));
  EXPECT_TRUE(entry(*quantizer, "alpha2").requires_grad());
  EXPECT_FALSE(quantizer->set_level_num(3).defined());
  options.quant_group = 2;
  for (const char* name : {"clip_val", "alpha0"})
    EXPECT_EQ(entry(*make_running(kNonUniformFeatures, options), name).sizes(),
              (std::vector<int64_t>{1, 2, 1, 1}));
}

TEST(NonUniform, HasTwoSlopesPerOutputChannelForWeights) {
  QuantOptions options = non_uniform(3);
  options.scale = 3;
  options.boundary = 2;
  const auto quantizer = make_running(kNonUniformWeights, options);
  EXPECT_EQ(quantizer->named_parameters().keys(),
            (std::vector<std::string>{"iteration", "level_num", "alpha0", "alpha1"}));
  EXPECT_EQ(entry(*quantizer, "alpha1").sizes(), (std::vector<int64_t>{4, 1, 1, 1}));
  EXPECT_TRUE(is(entry(*quantizer, "alpha1"), {3, 3, 3, 3}));
}

TEST(NonUniform, ALevelCountThatItDoesNotHaveIsAnError) {
  EXPECT_THROW(make_running(kNonUniformFeatures, non_uniform(5)), core::Error);
  EXPECT_THROW(make_running(kNonUniformFeatures, non_uniform(4, /*half_range=*/false)),
               core::Error);
  EXPECT_THROW(make_running(kNonUniformWeights, non_uniform(2)), core::Error);
}

TEST(NonUniform, AgreesWithPlainOperationsInEitherMemoryFormat) {
  for (const auto format : {torch::MemoryFormat::Contiguous, torch::MemoryFormat::ChannelsLast})
    for (const int groups : {0, 2, 4}) {
      for (const int levels : {2, 3, 4}) {
        QuantOptions half = non_uniform(levels);
        half.quant_group = groups;
        expect_as_composed(kNonUniformFeatures, half, format);
        half.grad_type = config::GradType::ste_scale;
        expect_as_composed(kNonUniformFeatures, half, format);
        half.closed_form = true;
        expect_as_composed(kNonUniformFeatures, half, format);
      }
      QuantOptions full = non_uniform(3, /*half_range=*/false);
      full.quant_group = groups;
      expect_as_composed({Tag::ot, {1, 4, 1, 1}, 1, 1}, full, format);
      expect_as_composed(kNonUniformWeights, full, format);
      full.grad_type = config::GradType::ste_scale;
      expect_as_composed(kNonUniformWeights, full, format);
    }
}

TEST(NonUniform, WeightsAreNormalizedAndRestoredWhereAsked) {
  QuantOptions options = non_uniform(3);
  options.adaptive = config::Adaptive::var_mean;
  options.adaptive_restore = true;
  options.scale = 2;
  const auto quantizer = make_running({Tag::wt, {1, 3, 1, 1}, 1, 1}, options);
  const Tensor x = leaf({1, 3, 5}, {1, 3, 1, 1});  // mean 3, deviation 2: -1, 0, 1
  const Tensor y = quantizer->forward(x, torch::kFloat64);
  EXPECT_TRUE(is(y, {1, 3, 5}));
  y.sum().backward();
  // Both ends are clipped; at zero both slopes are inside.
  EXPECT_TRUE(is(x.grad(), {0, 4, 0}));
}

// y = 1, 2, 0, 0 before the factor, which is sum(y x) / sum(y y).
TEST(ClosedForm, StoresTheFactorOfTheLastTrainingPassForEvaluation) {
  QuantOptions options = closed_form(4);
  options.scale = 1;
  const auto quantizer = make_running(kNonUniformFeatures, options);
  EXPECT_EQ(quantizer->named_buffers().keys(), (std::vector<std::string>{"basis", "auxil"}));
  const Tensor x = leaf({1, 2.25, -1, 0.25}, {1, 4, 1, 1});
  const double factor = (1 + 2 * 2.25) / 5;
  EXPECT_TRUE(is(quantizer->forward(x, torch::kFloat64), {factor, 2 * factor, 0, 0}));
  EXPECT_TRUE(is(entry(*quantizer, "basis"), {factor}));
  EXPECT_TRUE(is(entry(*quantizer, "auxil"), {factor}));
  quantizer->eval();
  EXPECT_TRUE(is(quantizer->forward(leaf({9, 0, 0, 0}, {1, 4, 1, 1}), torch::kFloat64),
                 {3 * factor, 0, 0, 0}));
  EXPECT_TRUE(is(entry(*quantizer, "basis"), {factor}));
}

TEST(ClosedForm, CustomUpdateMakesTheFactorARunningMean) {
  QuantOptions options = closed_form(2);
  options.custom_update = true;
  options.scale = 1;
  const auto quantizer = make_running(kNonUniformFeatures, options);
  entry(*quantizer, "basis").fill_(3);
  quantizer->iteration().fill_(5);  // two passes of training, one of evaluation
  const Tensor y =
      quantizer->forward(torch::full({1, 4, 1, 1}, 7.0, torch::kFloat64), torch::kFloat64);
  EXPECT_TRUE(is(entry(*quantizer, "auxil"), {7}));
  EXPECT_TRUE(is(entry(*quantizer, "basis"), {4}));
  EXPECT_TRUE(is(y, {4, 4, 4, 4}));
}

TEST(ClosedForm, CountsTrainingTwiceAndEvaluationOnce) {
  EXPECT_TRUE(make_running(kNonUniformFeatures, closed_form(4))->counts_training_twice());
  EXPECT_TRUE(make_running(kNonUniformFeatures, closed_form(4))->counts_evaluation());
  EXPECT_FALSE(make_running(kNonUniformFeatures, non_uniform(4))->counts_training_twice());
}

TEST(ClosedForm, TheFactorIsLearnedDuringTheWarmUp) {
  QuantOptions options = closed_form(4);
  options.stable = 3;
  const auto quantizer = make_running(kNonUniformFeatures, options);
  const Tensor x = torch::full({1, 4, 1, 1}, 7.0, torch::kFloat64);
  quantizer->iteration().fill_(3);
  EXPECT_TRUE(torch::equal(quantizer->forward(x, torch::kFloat64), x));
  EXPECT_TRUE(is(entry(*quantizer, "basis"), {7.0 / 3}));
}

TEST(ClosedForm, OfNothingButZeroLevelsIsTheMean) {
  const auto quantizer = make_running(kNonUniformFeatures, closed_form(4));
  const Tensor x = leaf({-1, -3, 0, 0}, {1, 4, 1, 1});
  EXPECT_TRUE(is(quantizer->forward(x, torch::kFloat64), {0, 0, 0, 0}));
  EXPECT_TRUE(is(entry(*quantizer, "basis"), {-1}));
}

TEST(NonUniform, ActivationsOfOneValueSurvive) {
  for (const QuantOptions& options : {non_uniform(4), closed_form(4)})
    for (const double value : {0.0, 0.4, -2.0, 7.0}) {
      const auto quantizer = make_running(kNonUniformFeatures, options);
      const Tensor x = torch::full({1, 4, 2, 2}, value, torch::kFloat64).set_requires_grad(true);
      const Tensor y = quantizer->forward(x, torch::kFloat64);
      y.sum().backward();
      EXPECT_TRUE(torch::isfinite(y).all().item<bool>());
      EXPECT_TRUE(torch::isfinite(x.grad()).all().item<bool>());
      for (const Tensor& alpha : alphas(*quantizer))
        EXPECT_TRUE(torch::isfinite(alpha.grad()).all().item<bool>());
    }
}

TEST(NonUniform, NotANumberStaysNotANumber) {
  const Tensor x = leaf({0.4, std::numeric_limits<double>::quiet_NaN(), 7, -1}, {1, 4, 1, 1});
  const Tensor y =
      make_running(kNonUniformFeatures, non_uniform(4))->forward(x, torch::kFloat64).flatten();
  EXPECT_TRUE(torch::isnan(y[1]).item<bool>());
  EXPECT_EQ(torch::isnan(y).sum().item<int64_t>(), 1);
  // It has a part in the common factor.
  const Tensor z = make_running(kNonUniformFeatures, closed_form(4))->forward(x, torch::kFloat64);
  EXPECT_TRUE(torch::isnan(z).all().item<bool>());
}

TEST(NonUniform, KeepsZeroButForAClosedForm) {
  EXPECT_TRUE(make_running(kNonUniformFeatures, non_uniform(4))->keeps_zero());
  EXPECT_TRUE(
      make_running(kNonUniformFeatures, non_uniform(3, /*half_range=*/false))->keeps_zero());
  EXPECT_FALSE(make_running(kNonUniformFeatures, closed_form(4))->keeps_zero());
}

}  // namespace
}  // namespace lowbit::quant
