// The step function of every quantizer equals its forward pass on every number.
#include "lowbit/quant/lowering.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "bisection.h"
#include "lowbit/core/error.h"
#include "lowbit/kernels/math/feature_quantizer.h"
#include "lowbit/quant/factory.h"
#include "lowbit/quant/grouped_tensor.h"

namespace lowbit::quant {
namespace {

using config::Method;
using config::QuantOptions;
using config::Tag;
using torch::Tensor;

// Codes 0 .. levels.size() - 1, each from its threshold on. A guess says where they are looked for.
CodeFormula staircase(std::vector<float> thresholds, std::vector<float> levels, double guess) {
  const auto highest = static_cast<float>(thresholds.size());
  return {[thresholds](float x) {
            return static_cast<float>(std::ranges::upper_bound(thresholds, x) - thresholds.begin());
          },
          [levels](float code) { return levels[static_cast<size_t>(code)]; },
          [guess](float) { return guess; }, 0, highest};
}

TEST(StepFunction, FindsEveryThresholdFromAnyGuess) {
  const std::vector<float> thresholds = {-1.5F, 0.0F, 1e-30F, 7.0F}, levels = {-3, -1, 0.5F, 2, 9};
  for (const double guess : {0.0, -1.5, 7.000001, -1e300, 1e300, std::nan("")}) {
    const StepFunction steps = step_function(staircase(thresholds, levels, guess));
    EXPECT_EQ(steps.thresholds, thresholds) << guess;
    EXPECT_EQ(steps.levels, levels);
    EXPECT_EQ(steps.codes, (std::vector<int>{0, 1, 2, 3, 4}));
    EXPECT_EQ(steps.step(-1.5F), 1);
    EXPECT_EQ(steps.step(std::nextafter(-1.5F, -2.0F)), 0);
    EXPECT_EQ(steps.step(7.0F), 4);
    EXPECT_EQ(steps.step(std::numeric_limits<float>::infinity()), 4);
  }
}

TEST(StepFunction, MayDescend) {
  const StepFunction steps = step_function(staircase({3}, {1, -1}, 0));
  EXPECT_EQ(steps.thresholds, (std::vector<float>{3}));
  EXPECT_EQ(steps.levels, (std::vector<float>{1, -1}));
}

TEST(StepFunction, LeavesOutCodesThatNoNumberHasAndEqualLevels) {
  const StepFunction steps = step_function(staircase({1, 1, 2, 3}, {0, 5, 6, 6, 7}, 2));
  EXPECT_EQ(steps.thresholds, (std::vector<float>{1, 3}));
  EXPECT_EQ(steps.levels, (std::vector<float>{0, 6, 7}));
  EXPECT_EQ(steps.codes, (std::vector<int>{0, 2, 4}));
  EXPECT_EQ(steps.code(2.5F), 2);
}

TEST(StepFunction, OfAConstantHasOneLevel) {
  const StepFunction steps = step_function(
      {[](float) { return 3.0F; }, [](float) { return 4.0F; }, [](float) { return 0.0; }, 0, 3});
  EXPECT_TRUE(steps.thresholds.empty());
  EXPECT_EQ(steps.levels, std::vector<float>{4});
  EXPECT_EQ(steps.codes, std::vector<int>{3});
}

TEST(StepFunction, OfNoNumbersIsAnError) {
  EXPECT_THROW(step_function({[](float) { return std::nanf(""); }, [](float code) { return code; },
                              [](float) { return 0.0; }, 0, 1}),
               core::Error);
}

// The formulas themselves, for clip values and numbers of levels of all sizes.
template <class Formula>
void expect_bisected(const Formula& formula) {
  const StepFunction steps = step_function(code_formula(formula));
  const StepFunction expected = bisected([&](float x) { return formula.level(formula.code(x)); });
  EXPECT_EQ(steps.thresholds, expected.thresholds);
  EXPECT_EQ(steps.levels, expected.levels);
}

TEST(StepFunction, OfEveryFormulaIsThatOfBisection) {
  for (float levels : {2.0F, 3.0F, 4.0F, 5.0F, 16.0F, 37.0F, 256.0F})
    for (float clip : {1.0F, 0.3F, 1.7F, 3e-5F, 40.01F, 1e-20F}) {
      const kernels::FormulaArguments arguments{
          .clip_val = &clip, .level_num = &levels, .boundary = clip};
      expect_bisected(kernels::Pact<float>(arguments, 0));
      expect_bisected(kernels::DorefaActivation<float>(arguments, 0));
      expect_bisected(kernels::DorefaWeight<float>{1, levels - 1, std::tanh(clip)});
      expect_bisected(kernels::BinaryWeight<float>{clip});
      expect_bisected(kernels::Lsq<kernels::LsqHalfGrid<float>, float>(clip, levels));
      expect_bisected(kernels::Lsq<kernels::LsqFullGrid<float>, float>(clip, levels));
      if (levels > 3)
        expect_bisected(kernels::Lsq<kernels::LsqSymmetricGrid<float>, float>(-clip, levels));
    }
  float clip = -0.4F, levels = 4;
  expect_bisected(kernels::Pact<float>({.clip_val = &clip, .level_num = &levels}, 0));
}

// One quantizer: what it is made of, and its parameters.
struct LoweringCase {
  const char* name;
  Tag tag;
  Method method;
  int levels;
  void (*change)(QuantOptions&) = nullptr;
  int quant_group = 0;
};

std::ostream& operator<<(std::ostream& out, const LoweringCase& c) {
  return out << c.name;
}

std::string case_name(const testing::TestParamInfo<LoweringCase>& one) {
  return one.param.name;
}

class EveryQuantizer : public testing::TestWithParam<LoweringCase> {};

// Numbers close to each other from -3 to 3, zeros of both signs, tiny and huge ones.
Tensor sweep(std::vector<int64_t> shape) {
  int64_t size = 1;
  for (const int64_t length : shape) size *= length;
  Tensor x = torch::linspace(-3, 3, size, torch::kFloat32);
  float* first = x.mutable_data_ptr<float>();
  first[0] = 0.0F, first[1] = -0.0F, first[2] = 1e-30F, first[3] = -1e-30F;
  // A permutation, so that every group sees the whole range: 7919 shares no factor with the size.
  return x.index({(torch::arange(size) * 7919) % size}).view(shape);
}

// Every level is what the grid says of its code, but for roundings of float32.
void expect_on_grid(const Lowering& lowering) {
  for (size_t group = 0; group < lowering.groups.size(); ++group) {
    const StepFunction& steps = lowering.groups[group];
    double largest = 0;
    for (const float level : steps.levels) largest = std::max<double>(largest, std::abs(level));
    for (size_t step = 0; step < steps.levels.size(); ++step) {
      double level = 0;
      for (const GridPlane& plane : lowering.grid.planes) {
        const int64_t place = plane.scale.numel() == 1 ? 0 : static_cast<int64_t>(group);
        level += plane.scale[place].item<double>() *
                 plane.integers[static_cast<size_t>(steps.codes[step])];
      }
      EXPECT_NEAR(level, steps.levels[step], 1e-6 * largest) << "group " << group;
    }
  }
}

TEST_P(EveryQuantizer, IsItsLowering) {
  const LoweringCase& c = GetParam();
  const bool weight = c.tag == Tag::wt;
  QuantOptions options;
  options.enable = true;
  options.method = c.method;
  options.level = c.levels;
  options.half_range = !weight;
  options.quant_group = c.quant_group;
  if (c.change) c.change(options);
  const std::vector<int64_t> shape =
      weight ? std::vector<int64_t>{4, 6, 16, 16} : std::vector<int64_t>{2, 4, 32, 32};
  const QuantShape quant_shape =
      weight ? QuantShape{c.tag, {4, 6, 16, 16}, 2, 32} : QuantShape{c.tag, {1, 4, 1, 1}, 2, 32};
  const auto quantizer = make_quantizer(quant_shape, options);
  {
    // Learned numbers away from their start, and different in every group.
    const torch::NoGradGuard no_grad;
    for (auto& parameter : quantizer->named_parameters())
      if (parameter.value().requires_grad() || parameter.key() == "basis")
        parameter.value().mul_(
            torch::linspace(0.7, 1.3, parameter.value().numel()).view_as(parameter.value()));
  }
  const torch::NoGradGuard no_grad;
  const Tensor x = sweep(shape);
  quantizer->iteration().fill_(1);
  quantizer->forward(x, torch::kFloat32);  // statistics away from their start, too
  quantizer->eval();
  const Tensor y = quantizer->forward(x, torch::kFloat32);
  const kernels::Groups groups = grouped(x, c.tag, quantizer->groups()).groups;
  const Tensor lowered =
      apply_lowering(quantizer->lower(x), x, [&](int64_t i) { return groups.of(i); });
  EXPECT_GT(std::get<0>(torch::_unique(y)).numel(), 1);
  EXPECT_TRUE(torch::equal(y, lowered)) << (y - lowered).abs().max();
  expect_on_grid(quantizer->lower(x));
}

INSTANTIATE_TEST_SUITE_P(
    Lsq, EveryQuantizer,
    testing::Values(LoweringCase{"half_range", Tag::fm, Method::lsq, 4},
                    LoweringCase{"groups", Tag::fm, Method::lsq, 8, nullptr, 2},
                    LoweringCase{"full_range", Tag::fm, Method::lsq, 4,
                                 [](QuantOptions& o) { o.half_range = false; }},
                    LoweringCase{"weights", Tag::wt, Method::lsq, 4},
                    LoweringCase{"normalized_weights", Tag::wt, Method::lsq, 3,
                                 [](QuantOptions& o) {
                                   o.adaptive = config::Adaptive::var_mean;
                                   o.adaptive_restore = true;
                                 }},
                    LoweringCase{"symmetric", Tag::wt, Method::lsq, 16,
                                 [](QuantOptions& o) { o.symmetry = true; }, 1}),
    case_name);

INSTANTIATE_TEST_SUITE_P(
    Dorefa, EveryQuantizer,
    testing::Values(LoweringCase{"activations", Tag::fm, Method::dorefa, 4},
                    LoweringCase{"outputs_with_gamma", Tag::ot, Method::dorefa, 4,
                                 [](QuantOptions& o) { o.gamma = true; }, 2},
                    LoweringCase{"weights", Tag::wt, Method::dorefa, 4},
                    LoweringCase{"normalized_weights", Tag::wt, Method::dorefa, 16,
                                 [](QuantOptions& o) {
                                   o.adaptive = config::Adaptive::var_mean;
                                   o.gamma = true;
                                 }},
                    LoweringCase{"binary_weights", Tag::wt, Method::dorefa, 2,
                                 [](QuantOptions& o) { o.binary_mean = true; }}),
    case_name);

INSTANTIATE_TEST_SUITE_P(Pact, EveryQuantizer,
                         testing::Values(LoweringCase{"activations", Tag::fm, Method::pact, 4},
                                         LoweringCase{"two_levels", Tag::fm, Method::pact, 2},
                                         LoweringCase{"outputs", Tag::ot, Method::pact, 16},
                                         LoweringCase{"weights", Tag::wt, Method::pact, 4}),
                         case_name);

INSTANTIATE_TEST_SUITE_P(
    NonUniform, EveryQuantizer,
    testing::Values(LoweringCase{"two_levels", Tag::fm, Method::non_uniform, 2},
                    LoweringCase{"three_levels", Tag::fm, Method::non_uniform, 3},
                    LoweringCase{"four_levels_in_groups", Tag::fm, Method::non_uniform, 4, nullptr,
                                 2},
                    LoweringCase{"closed_form", Tag::fm, Method::non_uniform, 4,
                                 [](QuantOptions& o) { o.closed_form = true; }},
                    LoweringCase{"full_range_outputs", Tag::ot, Method::non_uniform, 3,
                                 [](QuantOptions& o) { o.half_range = false; }},
                    LoweringCase{"weights", Tag::wt, Method::non_uniform, 3},
                    LoweringCase{"normalized_weights", Tag::wt, Method::non_uniform, 3,
                                 [](QuantOptions& o) {
                                   o.adaptive = config::Adaptive::var_mean;
                                   o.adaptive_restore = true;
                                 }}),
    case_name);

INSTANTIATE_TEST_SUITE_P(
    LqNets, EveryQuantizer,
    testing::Values(LoweringCase{"activations", Tag::fm, Method::lq, 4},
                    LoweringCase{"groups", Tag::fm, Method::lq, 8, nullptr, 2},
                    LoweringCase{"outputs_in_full_range", Tag::ot, Method::lq, 4,
                                 [](QuantOptions& o) { o.half_range = false, o.scale = 0.4; }},
                    LoweringCase{"activations_by_mean", Tag::fm, Method::lq, 4,
                                 [](QuantOptions& o) { o.adaptive = config::Adaptive::mean; }},
                    LoweringCase{"activations_by_deviation", Tag::fm, Method::lq, 4,
                                 [](QuantOptions& o) { o.adaptive = config::Adaptive::var; }},
                    LoweringCase{"weights", Tag::wt, Method::lq, 4},
                    LoweringCase{"weights_of_8_bits", Tag::wt, Method::lq, 256, nullptr, 2},
                    LoweringCase{"three_levels", Tag::wt, Method::lq, 3},
                    LoweringCase{"weights_by_mean", Tag::wt, Method::lq, 4,
                                 [](QuantOptions& o) { o.adaptive = config::Adaptive::mean; }},
                    LoweringCase{"weights_by_deviation", Tag::wt, Method::lq, 4,
                                 [](QuantOptions& o) { o.adaptive = config::Adaptive::var; }},
                    LoweringCase{"weights_by_both", Tag::wt, Method::lq, 4,
                                 [](QuantOptions& o) { o.adaptive = config::Adaptive::mean_var; }}),
    case_name);

INSTANTIATE_TEST_SUITE_P(
    Xnor, EveryQuantizer,
    testing::Values(
        LoweringCase{"signs", Tag::fm, Method::xnor, 2},
        LoweringCase{"factor_per_pixel", Tag::fm, Method::xnor, 2,
                     [](QuantOptions& o) { o.xnor_factor = config::XnorFactor::channel; }},
        LoweringCase{"factor_per_channel", Tag::fm, Method::xnor, 2,
                     [](QuantOptions& o) { o.xnor_factor = config::XnorFactor::resolution; }},
        LoweringCase{"outputs", Tag::ot, Method::xnor, 2},
        LoweringCase{"weights", Tag::wt, Method::xnor, 2},
        LoweringCase{"weights_in_groups_within_a_channel", Tag::wt, Method::xnor, 2,
                     [](QuantOptions& o) { o.gamma = true; }, 8},
        LoweringCase{"normalized_weights", Tag::wt, Method::xnor, 2,
                     [](QuantOptions& o) {
                       o.adaptive = config::Adaptive::var_mean;
                       o.adaptive_restore = o.gamma = true;
                     }}),
    case_name);

}  // namespace
}  // namespace lowbit::quant
