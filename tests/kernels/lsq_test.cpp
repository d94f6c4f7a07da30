#include "lowbit/kernels/lsq.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <limits>
#include <set>

#include "lowbit/core/error.h"
#include "target_test.h"

namespace lowbit::kernels {
namespace {

using testing::DoubleNear;
using testing::ElementsAreArray;
using testing::Pointwise;

struct Problem {
  std::vector<double> x;
  std::vector<double> grad_y = std::vector<double>(x.size(), 1.0);
  std::vector<double> clip_val = {1};
  double level_num = 4;
  LsqRange range = LsqRange::half;
  Groups groups = {static_cast<std::int64_t>(x.size()), 1};
  double grad_scale = 1;
  bool ste_scale = false;
};

struct Gradients {
  std::vector<double> x, clip;
};

std::vector<double> forward(const Target& target, const Problem& problem) {
  const Array x(target.backend, target.x, problem.x);
  const Array y(target.backend, target.y, std::vector<double>(problem.x.size(), 99));
  const Array clip_val(target.backend, target.compute(), problem.clip_val);
  const Array level_num(target.backend, target.compute(), {problem.level_num});
  lsq_forward(target.backend, {.x = x.input(),
                               .y = y.output(),
                               .size = static_cast<std::int64_t>(problem.x.size()),
                               .groups = problem.groups,
                               .clip_val = clip_val.data(),
                               .level_num = level_num.data(),
                               .range = problem.range});
  return y.values();
}

// counted: LsqBackward::counted; empty: null.
Gradients backward(const Target& target, const Problem& problem,
                   const std::vector<double>& counted = {}) {
  const Array x(target.backend, target.x, problem.x);
  const Array grad_y(target.backend, target.y, problem.grad_y);
  const Array grad_x(target.backend, target.x, std::vector<double>(problem.x.size(), 99));
  const Array grad_clip(target.backend, target.compute(),
                        std::vector<double>(problem.clip_val.size(), 99));
  const Array clip_val(target.backend, target.compute(), problem.clip_val);
  const Array level_num(target.backend, target.compute(), {problem.level_num});
  const Array counts(target.backend, ScalarType::float64, counted);
  lsq_backward(target.backend,
               {.x = x.input(),
                .grad_y = grad_y.input(),
                .grad_x = grad_x.output(),
                .grad_clip = grad_clip.data(),
                .size = static_cast<std::int64_t>(problem.x.size()),
                .groups = problem.groups,
                .clip_val = clip_val.data(),
                .level_num = level_num.data(),
                .range = problem.range,
                .grad_scale = problem.grad_scale,
                .ste_scale = problem.ste_scale,
                .counted = counted.empty() ? nullptr : static_cast<const double*>(counts.data()),
                .workspace = workspace(target.backend)});
  return {grad_x.values(), grad_clip.values()};
}

std::vector<double> count_inside(const Target& target, const Problem& problem) {
  const Array x(target.backend, target.x, problem.x);
  const Array clip_val(target.backend, target.compute(), problem.clip_val);
  const Array level_num(target.backend, target.compute(), {problem.level_num});
  const Array counted(target.backend, ScalarType::float64, {99, 99});
  lsq_count_inside(target.backend, {.x = x.input(),
                                    .size = static_cast<std::int64_t>(problem.x.size()),
                                    .groups = problem.groups,
                                    .clip_val = clip_val.data(),
                                    .level_num = level_num.data(),
                                    .range = problem.range,
                                    .counted = static_cast<double*>(counted.data()),
                                    .workspace = workspace(target.backend)});
  return counted.values();
}

class Lsq : public TargetTest {
 protected:
  std::vector<double> forward(const Problem& problem) const {
    return kernels::forward(GetParam(), problem);
  }
  Gradients backward(const Problem& problem) const {
    return kernels::backward(GetParam(), problem);
  }
};

LOWBIT_ON_ALL_TARGETS(Lsq);

// With these clip values and level counts a step is 1, and every number below is exact in every
// type.
Problem unit_steps(LsqRange range, std::vector<double> x) {
  switch (range) {
    case LsqRange::half:
      return {.x = std::move(x), .clip_val = {4}, .level_num = 5, .range = range};
    case LsqRange::full:
      return {.x = std::move(x), .clip_val = {2}, .level_num = 5, .range = range};
    case LsqRange::symmetric:
      return {.x = std::move(x), .clip_val = {2}, .level_num = 6, .range = range};
  }
  throw std::logic_error("no such range");
}

TEST_P(Lsq, HalfRangeRoundsTiesToEven) {
  EXPECT_THAT(forward(unit_steps(LsqRange::half, {0.5, 1.5, 2.5, 3.5, 0.25, 0.75, 2.25})),
              ElementsAreArray({0., 2., 2., 4., 0., 1., 2.}));
}

TEST_P(Lsq, FullRangeRoundsTiesToEvenCodesCountedFromTheLowEnd) {
  EXPECT_THAT(forward(unit_steps(LsqRange::full, {-1.5, -0.5, 0.5, 1.5, -1.25, 0.75, 0})),
              ElementsAreArray({-2., 0., 0., 2., -1., 1., 0.}));
}

TEST_P(Lsq, SymmetricRangeRoundsTiesToEvenCodesCountedFromZero) {
  EXPECT_THAT(forward(unit_steps(LsqRange::symmetric, {-1.5, -0.5, 0.5, 1.5, -1.25, 0.75, 0})),
              ElementsAreArray({-2., 0., 0., 2., -1., 1., 0.}));
}

TEST_P(Lsq, FullRangeOfFourLevelsHasNoZero) {
  const Problem problem{.x = {-0.25, 0.25, -5, 5}, .clip_val = {3}, .range = LsqRange::full};
  EXPECT_THAT(forward(problem),
              Pointwise(DoubleNear(4 * rounding(GetParam().y)), std::vector<double>{-1, 1, -3, 3}));
}

TEST_P(Lsq, SymmetricRangeOfFourLevelsIsTernary) {
  const Problem problem{
      .x = {-0.25, 0.25, -5, 5, 2}, .clip_val = {3}, .range = LsqRange::symmetric};
  EXPECT_THAT(forward(problem), ElementsAreArray({0., 0., -3., 3., 3.}));
}

TEST_P(Lsq, ValuesAreClippedAtBothEnds) {
  EXPECT_THAT(forward(unit_steps(LsqRange::half, {-1, 4, 4.03125, 1000})),
              ElementsAreArray({0., 4., 4., 4.}));
  for (const LsqRange range : {LsqRange::full, LsqRange::symmetric})
    EXPECT_THAT(forward(unit_steps(range, {-1000, -2, 2, 1000})),
                ElementsAreArray({-2., -2., 2., 2.}));
}

// 2^-6 and 2^-5 below and above 2 and 4 are the nearest numbers of the coarsest type.
TEST_P(Lsq, ClampGradientIsInclusiveAtBothEnds) {
  EXPECT_THAT(backward(unit_steps(LsqRange::half, {-0x1p-20, 0, 0x1p-20, 3.984375, 4, 4.03125})).x,
              ElementsAreArray({0., 1., 1., 1., 1., 0.}));
  for (const LsqRange range : {LsqRange::full, LsqRange::symmetric})
    EXPECT_THAT(
        backward(unit_steps(range, {-2.015625, -2, -1.9921875, 0, 1.9921875, 2, 2.015625})).x,
        ElementsAreArray({0., 1., 1., 1., 1., 1., 0.}));
}

TEST_P(Lsq, GradientPassesStraightThroughTheRounding) {
  Problem problem = unit_steps(LsqRange::half, {0.5, 1.25, 6, 3.5, -1});
  problem.grad_y = {0.5, -2, 4, 8, 16};
  EXPECT_THAT(backward(problem).x, ElementsAreArray({0.5, -2., 0., 8., 0.}));
}

// level - x/c where x is inside, the level itself (1 or the low end) where it is clipped:
// 1 (1/4 - 1.25/4) + 2 (1) + 4 (0) + 8 (1 - 3.5/4)
TEST_P(Lsq, ClipGradientOfHalfRangeMatchesTheHandComputedSum) {
  Problem problem = unit_steps(LsqRange::half, {1.25, 6, -1, 3.5});
  problem.grad_y = {1, 2, 4, 8};
  EXPECT_THAT(backward(problem).clip, ElementsAreArray({2.9375}));
}

// 1 (1/2 - 1.25/2) + 2 (1) + 4 (-1) + 8 (-1 + 1.5/2)
TEST_P(Lsq, ClipGradientOfFullAndSymmetricRangeMatchesTheHandComputedSum) {
  for (const LsqRange range : {LsqRange::full, LsqRange::symmetric}) {
    Problem problem = unit_steps(range, {1.25, 6, -3, -1.5});
    problem.grad_y = {1, 2, 4, 8};
    EXPECT_THAT(backward(problem).clip, ElementsAreArray({-4.125}));
  }
}

TEST_P(Lsq, NegativeClipValueQuantizesAsItsMagnitudeAndTurnsItsGradient) {
  Problem problem = unit_steps(LsqRange::half, {1.25, 6, -1, 3.5});
  problem.grad_y = {1, 2, 4, 8};
  problem.clip_val = {-4};
  EXPECT_THAT(forward(problem), ElementsAreArray({1., 4., 0., 4.}));
  const Gradients gradients = backward(problem);
  EXPECT_THAT(gradients.x, ElementsAreArray({1., 0., 0., 8.}));
  EXPECT_THAT(gradients.clip, ElementsAreArray({-2.9375}));
}

TEST_P(Lsq, GradScaleMultipliesTheClipGradientExceptFromOneToBelowTwo) {
  Problem problem = unit_steps(LsqRange::half, {1.25, 6, -1, 3.5});
  problem.grad_y = {1, 2, 4, 8};
  const std::vector<std::pair<double, double>> expected_factors = {{0.5, 0.5},  {1, 1}, {1.5, 1},
                                                                   {1.9375, 1}, {2, 2}, {8, 8}};
  for (const auto& [scale, factor] : expected_factors) {
    problem.grad_scale = scale;
    EXPECT_THAT(backward(problem).clip, ElementsAreArray({2.9375 * factor})) << scale;
  }
}

// y_i = c * level(x_i / c), independently: the number of steps to the nearest level.
TEST_P(Lsq, EveryLevelCountGivesThatManyEquidistantLevels) {
  const std::vector<double> x = rounded(GetParam().x, random_values(20000, -1.25, 1.25, 1));
  const double tolerance = 8 * rounding(GetParam().y);
  for (const double level_num : {2, 3, 4, 16, 256}) {
    for (const LsqRange range : {LsqRange::half, LsqRange::full, LsqRange::symmetric}) {
      if (range == LsqRange::symmetric && level_num < 4) continue;
      const std::vector<double> y =
          forward({.x = x, .clip_val = {1}, .level_num = level_num, .range = range});
      const double low = range == LsqRange::half ? 0 : -1;
      const double steps = level_num - (range == LsqRange::symmetric ? 2 : 1);
      const double step = (1 - low) / steps;
      std::set<long> codes;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double code = (y[i] - low) / step;
        codes.insert(std::lround(code));
        ASSERT_NEAR(code * step, std::round(code) * step, tolerance) << x[i];
        ASSERT_LE(std::abs(y[i] - std::clamp(x[i], low, 1.0)), step / 2 + tolerance) << x[i];
      }
      EXPECT_EQ(codes.size(), steps + 1) << level_num;
      EXPECT_EQ(*codes.begin(), 0) << level_num;
    }
  }
}

// The place in memory of element [image, channel, pixel] in the two layouts.
struct Features {
  std::int64_t images, channels, pixels;
  bool channels_last;

  std::int64_t size() const { return images * channels * pixels; }
  std::int64_t place(std::int64_t image, std::int64_t channel, std::int64_t pixel) const {
    return channels_last ? (image * pixels + pixel) * channels + channel
                         : (image * channels + channel) * pixels + pixel;
  }
  Groups groups(std::int64_t count) const {
    return {channels / count * (channels_last ? 1 : pixels), count};
  }
};

// Each group must come out as if it were alone.
void expect_groups_independent(const Target& target, const Features& features,
                               const std::vector<double>& clip_val) {
  const auto count = static_cast<std::int64_t>(clip_val.size());
  Problem problem{.x = random_values(features.size(), -2, 4, 2),
                  .grad_y = random_values(features.size(), -1, 1, 3),
                  .clip_val = clip_val,
                  .range = LsqRange::full,
                  .groups = features.groups(count)};
  const std::vector<double> y = forward(target, problem);
  const Gradients gradients = backward(target, problem);
  for (std::int64_t group = 0; group < count; ++group) {
    std::vector<std::int64_t> places;
    for (std::int64_t image = 0; image < features.images; ++image)
      for (std::int64_t channel = 0; channel < features.channels; ++channel)
        for (std::int64_t pixel = 0; pixel < features.pixels; ++pixel)
          if (channel / (features.channels / count) == group)
            places.push_back(features.place(image, channel, pixel));
    Problem alone{.x = {}, .clip_val = {clip_val[group]}, .range = LsqRange::full};
    alone.grad_y.clear();
    for (const std::int64_t place : places) {
      alone.x.push_back(problem.x[place]);
      alone.grad_y.push_back(problem.grad_y[place]);
    }
    alone.groups = {static_cast<std::int64_t>(places.size()), 1};
    const std::vector<double> alone_y = forward(target, alone);
    const Gradients alone_gradients = backward(target, alone);
    for (std::size_t i = 0; i < places.size(); ++i) {
      ASSERT_EQ(y[places[i]], alone_y[i]);
      ASSERT_EQ(gradients.x[places[i]], alone_gradients.x[i]);
    }
    EXPECT_NEAR(gradients.clip[group], alone_gradients.clip[0],
                1e-4 * rounding(target.compute()) / rounding(ScalarType::float32));
  }
}

TEST_P(Lsq, GroupsOfChannelsAreIndependentInBothLayouts) {
  for (const bool channels_last : {false, true}) {
    expect_groups_independent(GetParam(), {2, 4, 3, channels_last}, {0.5, -2});
    expect_groups_independent(GetParam(), {3, 6, 5, channels_last}, {0.5, 2, 3});
    expect_groups_independent(GetParam(), {3, 32, 64, channels_last}, {0.5, 2, 1.5, 3});
    expect_groups_independent(GetParam(), {2, 8, 9, channels_last},
                              {0.5, 2, 1.5, 3, 1, 0.25, 4, 0.75});
  }
}

TEST_P(Lsq, GroupsOfWeightsAreIndependent) {
  for (const std::int64_t fan :
       {std::int64_t{9}, std::int64_t{27}, std::int64_t{144}, std::int64_t{40000}})
    expect_groups_independent(GetParam(), {1, 3, fan, false}, {0.5, 2, 3});
}

TEST_P(Lsq, ManyGroupsOfOneElementEachHaveTheirOwnClipValue) {
  const std::size_t size = 70000;
  Problem problem{.x = std::vector<double>(size, 8),
                  .clip_val = std::vector<double>(size),
                  .groups = {1, static_cast<std::int64_t>(size)}};
  for (std::size_t i = 0; i < size; ++i) problem.clip_val[i] = 1 + static_cast<double>(i % 4);
  EXPECT_EQ(forward(problem), problem.clip_val);
  EXPECT_EQ(backward(problem).clip, std::vector<double>(size, 1));
}

TEST_P(Lsq, SizesThatAreNoMultipleOfTheVectorWidthMatchTheReference) {
  for (const std::size_t size : {1, 2, 3, 7, 8, 9, 15, 17, 31, 33, 255, 257, 8191, 8193, 100003}) {
    for (const LsqRange range : {LsqRange::half, LsqRange::full, LsqRange::symmetric}) {
      const Problem problem{.x = rounded(target.x, random_values(size, -2, 2, 4)),
                            .grad_y = rounded(target.y, random_values(size, -1, 1, 5)),
                            .clip_val = {1.3},
                            .range = range};
      EXPECT_EQ(forward(problem), rounded(target.y, kernels::forward(plain, problem))) << size;
      const Gradients actual = backward(problem), expected = kernels::backward(plain, problem);
      EXPECT_EQ(actual.x, rounded(target.x, expected.x)) << size;
      // Of the sums, only the order differs.
      const double magnitude = static_cast<double>(size);
      EXPECT_THAT(actual.clip,
                  Pointwise(DoubleNear(4 * rounding(target.compute()) * magnitude), expected.clip))
          << size;
    }
  }
}

// With steps so small that y shows all but the last bits of x / c.
TEST_P(Lsq, QuotientsAreThoseOfADivisionToTheLastBit) {
  constexpr int kGroups = 64, kRun = 4096;
  Problem problem{.x = random_values(kGroups * kRun, 0.01, 1, 11),
                  .clip_val = random_values(kGroups, -5, 5, 12),
                  .level_num = (1 << 23) + 1,
                  .groups = {kRun, kGroups}};
  for (double& clip : problem.clip_val) clip = std::pow(10, clip);
  problem.clip_val = rounded(target.compute(), problem.clip_val);
  for (size_t i = 0; i < problem.x.size(); ++i) problem.x[i] *= problem.clip_val[i / kRun];
  problem.x = rounded(target.x, problem.x);
  EXPECT_EQ(forward(problem), rounded(target.y, kernels::forward(plain, problem)));
}

TEST_P(Lsq, MisalignedArraysMatchAlignedOnes) {
  std::vector<double> x = random_values(1001, -2, 2, 6);
  const Array array(target.backend, target.x, x);
  const Array y(target.backend, target.y, std::vector<double>(1001));
  const Array clip_val(target.backend, target.compute(), {1});
  const Array level_num(target.backend, target.compute(), {4});
  const std::size_t x_bytes = target.x == ScalarType::float64   ? 8
                              : target.x == ScalarType::float32 ? 4
                                                                : 2;
  lsq_forward(target.backend, {.x = {static_cast<const char*>(array.data()) + x_bytes, target.x},
                               .y = y.output(),
                               .size = 1000,
                               .groups = {1000, 1},
                               .clip_val = clip_val.data(),
                               .level_num = level_num.data()});
  std::vector<double> expected = forward({.x = {x.begin() + 1, x.end()}});
  expected.push_back(0);
  EXPECT_EQ(y.values(), expected);
}

TEST_P(Lsq, RepeatedCallsGiveTheSameBits) {
  const Problem problem{.x = random_values(300000, -2, 2, 7),
                        .grad_y = random_values(300000, -1, 1, 8)};
  const Gradients first = backward(problem);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(backward(problem).clip, first.clip);
}

TEST_P(Lsq, AnEmptyArrayHasZeroClipGradient) {
  const Problem problem{.x = {}, .clip_val = {1, 2}, .groups = {0, 2}};
  EXPECT_TRUE(forward(problem).empty());
  EXPECT_THAT(backward(problem).clip, ElementsAreArray({0., 0.}));
}

TEST_P(Lsq, NotANumberStaysNotANumber) {
  for (const LsqRange range : {LsqRange::half, LsqRange::full, LsqRange::symmetric}) {
    const Problem problem = unit_steps(range, {1, kNaN, -1, 2, 0, 1, 2, kNaN, 1});
    const std::vector<double> y = forward(problem);
    for (std::size_t i = 0; i < y.size(); ++i)
      EXPECT_EQ(std::isnan(y[i]), std::isnan(problem.x[i]));
    const Gradients gradients = backward(problem);
    EXPECT_EQ(gradients.x[1], 0);
    EXPECT_TRUE(std::isnan(gradients.clip[0]));
  }
}

TEST_P(Lsq, InfinitiesAreClippedAndLeaveFiniteGradients) {
  const Problem half = unit_steps(LsqRange::half, {kInfinity, -kInfinity});
  EXPECT_THAT(forward(half), ElementsAreArray({4., 0.}));
  EXPECT_THAT(backward(half).x, ElementsAreArray({0., 0.}));
  EXPECT_THAT(backward(half).clip, ElementsAreArray({1.}));
  const Problem full = unit_steps(LsqRange::full, {kInfinity, -kInfinity, -kInfinity});
  EXPECT_THAT(forward(full), ElementsAreArray({2., -2., -2.}));
  EXPECT_THAT(backward(full).clip, ElementsAreArray({-1.}));
}

TEST_P(Lsq, AnUpstreamGradientThatIsNotFiniteReachesTheClipGradient) {
  Problem problem = unit_steps(LsqRange::half, {1, 2, 6});
  problem.grad_y = {1, 1, kNaN};
  EXPECT_TRUE(std::isnan(backward(problem).clip[0]));
  problem.grad_y = {1, 1, kInfinity};
  EXPECT_EQ(backward(problem).clip[0], kInfinity);
}

// One of eight inside: the clamp's gradient times sqrt(8). 1/4 - sqrt(8) 1.25/4 + 7 * 1
TEST_P(Lsq, SteScaleAmplifiesTheClampWhereFewAreInside) {
  Problem problem = unit_steps(LsqRange::half, {6, 6, 6, 1.25, 6, 6, 6, 6});
  problem.ste_scale = true;
  const double scale = std::sqrt(8.0);
  const Gradients gradients = backward(problem);
  EXPECT_NEAR(gradients.x[3], scale, 2 * scale * rounding(GetParam().x));
  EXPECT_EQ(gradients.x[0], 0);
  EXPECT_NEAR(gradients.clip[0], 0.25 - scale * 1.25 / 4 + 7, 1e-6);
}

TEST_P(Lsq, SteScaleOfAPartCountsTheWhole) {
  Problem part = unit_steps(LsqRange::half, {1.25, 6, 2, 6});
  part.ste_scale = true;
  EXPECT_THAT(count_inside(GetParam(), part), ElementsAreArray({4., 2.}));
  // With twelve more, none of them inside: sqrt(16 / 2).
  const Gradients gradients = kernels::backward(GetParam(), part, {16, 2});
  const double scale = std::sqrt(8.0);
  EXPECT_NEAR(gradients.x[0], scale, 2 * scale * rounding(GetParam().x));
  EXPECT_EQ(gradients.x[1], 0);
}

TEST_P(Lsq, SteScaleActsAtAQuarterInsideAndNotAbove) {
  Problem problem = unit_steps(LsqRange::half, {6, 6, 6, 1.25, 6, 6, 6, 4});
  problem.ste_scale = true;
  EXPECT_THAT(backward(problem).x, ElementsAreArray({0., 0., 0., 2., 0., 0., 0., 2.}));
  problem.x[0] = 0;
  EXPECT_THAT(backward(problem).x, ElementsAreArray({1., 0., 0., 1., 0., 0., 0., 1.}));
}

TEST_P(Lsq, SteScaleWithNothingInsideIsThePlainClamp) {
  Problem problem = unit_steps(LsqRange::half, {6, 6, -1, kInfinity});
  problem.ste_scale = true;
  const Gradients gradients = backward(problem);
  EXPECT_THAT(gradients.x, ElementsAreArray({0., 0., 0., 0.}));
  EXPECT_THAT(gradients.clip, ElementsAreArray({3.}));
}

// 1000 of 64000 inside, spread over groups and blocks: sqrt(64) = 8 for all of them.
TEST_P(Lsq, SteScaleCountsOverAllGroups) {
  Problem problem{.x = std::vector<double>(64000, 6),
                  .clip_val = {4, 4},
                  .level_num = 5,
                  .groups = {32000, 2},
                  .ste_scale = true};
  for (std::size_t i = 0; i < 1000; ++i) problem.x[i * 31] = 1;
  for (int call = 0; call < 2; ++call) {
    const Gradients gradients = backward(problem);
    EXPECT_EQ(gradients.x[31], 8);
    EXPECT_EQ(gradients.x[1], 0);
    EXPECT_EQ(gradients.x[31 * 999], 8);
  }
}

TEST(LsqThreads, OneAndTwoThreadsGiveTheSameBits) {
  const int before = omp_get_max_threads();
  const Target target{Backend::cpu, ScalarType::float32, ScalarType::float32};
  const Problem problem{.x = random_values(300000, -2, 2, 9),
                        .grad_y = random_values(300000, -1, 1, 10),
                        .clip_val = {1, 0.7, 1.5},
                        .groups = {100000, 3}};
  omp_set_num_threads(1);
  const std::vector<double> y = forward(target, problem);
  const Gradients gradients = backward(target, problem);
  omp_set_num_threads(2);
  EXPECT_EQ(forward(target, problem), y);
  const Gradients again = backward(target, problem);
  EXPECT_EQ(again.x, gradients.x);
  EXPECT_EQ(again.clip, gradients.clip);
  omp_set_num_threads(before);
}

// A sum that cancels takes its sign from the values, and a ReLU's mask may hang on it: -0 is kept.
TEST_P(Lsq, NegativeZeroOfHalfRangeKeepsItsSign) {
  EXPECT_TRUE(std::signbit(forward(unit_steps(LsqRange::half, {-0.0, 0.0}))[0]));
}

std::string usage_error_of(const LsqForward& args, Backend backend = Backend::cpu) {
  try {
    lsq_forward(backend, args);
  } catch (const core::Error& error) {
    EXPECT_EQ(error.kind(), core::ErrorKind::usage);
    return error.what();
  }
  return "no error";
}

TEST(LsqArguments, WrongOnesAreNamed) {
  float numbers[6] = {1, 1, 1, 1, 1, 1};
  const LsqForward good{.x = {numbers},
                        .y = {numbers + 3},
                        .size = 3,
                        .groups = {3, 1},
                        .clip_val = numbers,
                        .level_num = numbers};
  LsqForward bad = good;
  bad.y.data = nullptr;
  EXPECT_EQ(usage_error_of(bad), "lsq_forward: y is null");
  bad = good;
  bad.level_num = nullptr;
  EXPECT_EQ(usage_error_of(bad), "lsq_forward: level_num is null");
  bad = good;
  bad.groups = {1, 2};
  EXPECT_THAT(usage_error_of(bad), testing::HasSubstr("3 elements do not divide into 2 groups"));
  bad.groups = {0, 1};
  EXPECT_THAT(usage_error_of(bad), testing::HasSubstr("runs of 0 elements"));
  bad = good;
  bad.size = -1;
  EXPECT_THAT(usage_error_of(bad), testing::HasSubstr("size of -1"));
  bad = good;
  bad.x.type = bad.y.type = ScalarType::float16;
  EXPECT_EQ(usage_error_of(bad), "lsq_forward: no CPU kernel takes float16 with float16");
  bad = good;
  bad.y.type = ScalarType::float64;
  EXPECT_EQ(usage_error_of(bad, Backend::cuda),
            "lsq_forward: no CUDA kernel takes float32 with float64");
}

TEST(LsqArguments, BackwardNeedsAGradientOfTheTypeOfX) {
  float numbers[4] = {1, 1, 1, 1};
  double wide[1] = {};
  try {
    lsq_backward(Backend::cpu, {.x = {numbers},
                                .grad_y = {numbers + 1},
                                .grad_x = {wide, ScalarType::float64},
                                .grad_clip = numbers + 2,
                                .size = 1,
                                .groups = {1, 1},
                                .clip_val = numbers + 3,
                                .level_num = numbers + 3});
    FAIL() << "no error";
  } catch (const core::Error& error) {
    EXPECT_STREQ(error.what(), "lsq_backward: a float64 gradient of a float32 array");
  }
}

#ifdef LOWBIT_CUDA
TEST(LsqArguments, CudaBackwardNeedsAWorkspace) {
  float numbers[4] = {1, 1, 1, 1};
  EXPECT_THROW(lsq_backward(Backend::cuda, {.x = {numbers},
                                            .grad_y = {numbers + 1},
                                            .grad_x = {numbers + 2},
                                            .grad_clip = numbers + 2,
                                            .size = 1,
                                            .groups = {1, 1},
                                            .clip_val = numbers + 3,
                                            .level_num = numbers + 3}),
               core::Error);
}
#else
TEST(LsqArguments, ABuildWithoutCudaSaysSo) {
  float numbers[2] = {1, 1};
  try {
    lsq_forward(Backend::cuda, {.x = {numbers},
                                .y = {numbers + 1},
                                .size = 1,
                                .groups = {1, 1},
                                .clip_val = numbers,
                                .level_num = numbers});
    FAIL() << "no error";
  } catch (const core::Error& error) {
    EXPECT_EQ(error.kind(), core::ErrorKind::failure);
    EXPECT_STREQ(error.what(), "lsq_forward: this build has no CUDA kernels");
  }
}
#endif

}  // namespace
}  // namespace lowbit::kernels
