#include "lowbit/kernels/non_uniform.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "lowbit/core/error.h"
#include "target_test.h"

namespace lowbit::kernels {
namespace {

using testing::DoubleNear;
using testing::Each;
using testing::ElementsAreArray;
using testing::IsNan;
using testing::Pointwise;

struct Problem {
  Values x;
  Values grad_y = Values(x.size(), 1.0);
  std::vector<Values> alpha = {{1}, {0.5}, {2}};  // of each step, for every group
  double level_num = static_cast<double>(alpha.size()) + 1;
  NonUniformRange range = NonUniformRange::half;
  Groups groups = {static_cast<std::int64_t>(x.size()), 1};
  Values basis = {};    // empty: no factor
  Values counted = {};  // empty: no STE-scale

  std::int64_t size() const { return static_cast<std::int64_t>(x.size()); }
};

// Its parameters where the back end wants them.
class Parameters {
 public:
  Parameters(const Target& target, const Problem& problem)
      : level_num_(target.backend, target.compute(), {problem.level_num}),
        basis_(target.backend, target.compute(), problem.basis),
        counted_(target.backend, ScalarType::float64, problem.counted) {
    for (const Values& values : problem.alpha)
      alpha_.push_back(std::make_unique<Array>(target.backend, target.compute(), values));
    steps_ = {.count = static_cast<int>(alpha_.size()),
              .level_num = level_num_.data(),
              .range = problem.range};
    for (std::size_t i = 0; i < alpha_.size(); ++i) steps_.alpha[i] = alpha_[i]->data();
    if (!problem.counted.empty()) steps_.counted = static_cast<const double*>(counted_.data());
    has_basis_ = !problem.basis.empty();
  }

  const NonUniformSteps& steps() const { return steps_; }
  const void* basis() const { return has_basis_ ? basis_.data() : nullptr; }

 private:
  std::vector<std::unique_ptr<Array>> alpha_;
  Array level_num_, basis_, counted_;
  NonUniformSteps steps_;
  bool has_basis_;
};

Values forward(const Target& target, const Problem& problem) {
  const Parameters parameters(target, problem);
  const Array x(target.backend, target.x, problem.x);
  const Array y(target.backend, target.y, Values(problem.x.size(), 99));
  non_uniform_forward(target.backend, {.x = x.input(),
                                       .y = y.output(),
                                       .size = problem.size(),
                                       .groups = problem.groups,
                                       .steps = parameters.steps(),
                                       .basis = parameters.basis()});
  return y.values();
}

struct Gradients {
  Values x;
  std::vector<Values> alpha;
};

Gradients backward(const Target& target, const Problem& problem) {
  const Parameters parameters(target, problem);
  const Array x(target.backend, target.x, problem.x);
  const Array grad_y(target.backend, target.y, problem.grad_y);
  const Array grad_x(target.backend, target.x, Values(problem.x.size(), 99));
  NonUniformBackward args{.x = x.input(),
                          .grad_y = grad_y.input(),
                          .grad_x = grad_x.output(),
                          .size = problem.size(),
                          .groups = problem.groups,
                          .steps = parameters.steps(),
                          .basis = parameters.basis(),
                          .workspace = workspace(target.backend)};
  std::vector<std::unique_ptr<Array>> grads;
  for (std::size_t i = 0; i < problem.alpha.size(); ++i) {
    grads.push_back(std::make_unique<Array>(target.backend, target.compute(),
                                            Values(problem.alpha[i].size(), 99)));
    args.grad_alpha[i] = grads[i]->data();
  }
  non_uniform_backward(target.backend, args);
  Gradients result{grad_x.values(), {}};
  for (const auto& grad : grads) result.alpha.push_back(grad->values());
  return result;
}

struct Fit {
  double basis, auxil;
};

// basis and auxil are 3 and 7 before.
Fit fit(const Target& target, const Problem& problem, bool running_mean = false,
        double iteration = 5) {
  const Parameters parameters(target, problem);
  const Array x(target.backend, target.x, problem.x);
  const Array basis(target.backend, target.compute(), {3});
  const Array auxil(target.backend, target.compute(), {7});
  const Array count(target.backend, target.compute(), {iteration});
  non_uniform_fit(target.backend, {.x = x.input(),
                                   .size = problem.size(),
                                   .groups = problem.groups,
                                   .steps = parameters.steps(),
                                   .basis = basis.data(),
                                   .auxil = auxil.data(),
                                   .iteration = count.data(),
                                   .running_mean = running_mean,
                                   .workspace = workspace(target.backend)});
  return {basis.values()[0], auxil.values()[0]};
}

// The same from the sums of several arrays.
Fit fit_sums(const Target& target, const std::vector<Problem>& problems) {
  const Array basis(target.backend, target.compute(), {3}),
      auxil(target.backend, target.compute(), {7}), count(target.backend, target.compute(), {5});
  Values all(NonUniformFit::kSums);
  NonUniformFit args;
  args.basis = basis.data();
  args.auxil = auxil.data();
  args.iteration = count.data();
  for (const Problem& problem : problems) {
    const Parameters parameters(target, problem);
    const Array x(target.backend, target.x, problem.x);
    const Array sums(target.backend, ScalarType::float64, Values(all.size(), 99));
    args.x = x.input();
    args.size = problem.size();
    args.groups = problem.groups;
    args.steps = parameters.steps();
    args.sums = static_cast<double*>(sums.data());
    args.workspace = workspace(target.backend);
    non_uniform_fit(target.backend, args);
    for (size_t i = 0; i < all.size(); ++i) all[i] += sums.values()[i];
  }
  EXPECT_EQ(basis.values()[0], 3);
  const Array sums(target.backend, ScalarType::float64, all);
  args.sums = static_cast<double*>(sums.data());
  non_uniform_fit_sums(target.backend, args);
  return {basis.values()[0], auxil.values()[0]};
}

class NonUniform : public TargetTest {
 protected:
  Values forward(const Problem& problem) const { return kernels::forward(target, problem); }
  Gradients backward(const Problem& problem) const { return kernels::backward(target, problem); }
};

LOWBIT_ON_ALL_TARGETS(NonUniform);

Problem ternary(Values x) {
  return {.x = std::move(x), .alpha = {{2}, {0.5}}, .range = NonUniformRange::ternary};
}

// The slopes 1, 0.5, 2 make steps over 0..1, 1..3, 3..3.5 with their middles at 0.5, 2, 3.25, which
// round down, to even: all exact in every type.
TEST_P(NonUniform, HalfRangeStepsBehindTheMiddleOfEachStep) {
  const Values x = {-1, 0, 0.5, 0.75, 1, 2, 2.25, 3.25, 3.5, 100};
  EXPECT_THAT(forward({.x = x}), ElementsAreArray({0., 0., 0., 1., 1., 1., 2., 2., 3., 3.}));
  EXPECT_THAT(forward({.x = x, .alpha = {{1}, {0.5}}}),
              ElementsAreArray({0., 0., 0., 1., 1., 1., 2., 2., 2., 2.}));
  EXPECT_THAT(forward({.x = x, .alpha = {{1}}}),
              ElementsAreArray({0., 0., 0., 1., 1., 1., 1., 1., 1., 1.}));
}

TEST_P(NonUniform, FewerLevelsAtRunTimeLeaveTheLastStepsOut) {
  const Problem problem{.x = {0.75, 2.25, 3.5}, .level_num = 3};
  EXPECT_THAT(forward(problem), ElementsAreArray({1., 2., 2.}));
  const Gradients gradients = backward(problem);
  EXPECT_THAT(gradients.x, ElementsAreArray({1., 0.5, 0.}));
  EXPECT_THAT(gradients.alpha[2], ElementsAreArray({0.}));
}

TEST_P(NonUniform, TernaryStepsBehindTheMiddleOfEachSide) {
  EXPECT_THAT(forward(ternary({-100, -0.5, -0.25, -0.125, 0, 1, 1.25, 2, 100})),
              ElementsAreArray({-1., -1., 0., 0., 0., 0., 1., 1., 1.}));
}

// 2^-6 above 3.5 is the nearest number of the coarsest type. Where two steps meet, both are inside.
TEST_P(NonUniform, HalfRangeGradientIsTheSlopeOfTheStepsInside) {
  Problem problem{.x = {-0x1p-20, 0, 1, 2, 3, 3.25, 3.5, 3.515625}};
  problem.grad_y = {1, 2, 4, 8, 16, 32, 64, 128};
  const Gradients gradients = backward(problem);
  EXPECT_THAT(gradients.x, ElementsAreArray({0., 2., 6., 4., 40., 64., 128., 0.}));
  // Step i with its own slope, and moved by those before it:
  //   a_0: x inside 0, a_1 / a_0^2 = 0.5 inside 1, a_2 / a_0^2 = 2 inside 2
  //   a_1: x - 1 inside 1, a_2 / a_1^2 = 8 inside 2;   a_2: x - 3 inside 2
  EXPECT_THAT(gradients.alpha[0],
              ElementsAreArray({4 * (1 + 0.5) + 8 * 0.5 + 16 * (0.5 + 2) + (32 + 64) * 2.}));
  EXPECT_THAT(gradients.alpha[1], ElementsAreArray({8 * 1 + 16 * (2 + 8) + (32 + 64) * 8.}));
  EXPECT_THAT(gradients.alpha[2], ElementsAreArray({32 * 0.25 + 64 * 0.5}));
}

TEST_P(NonUniform, TernaryGradientIsTheSlopeOfTheSidesInside) {
  Problem problem = ternary({-0.50390625, -0.5, -0.25, 0, 1, 2, 2.015625});
  problem.grad_y = {1, 2, 4, 8, 16, 32, 64};
  const Gradients gradients = backward(problem);
  EXPECT_THAT(gradients.x, ElementsAreArray({0., 4., 8., 20., 8., 16., 0.}));
  EXPECT_THAT(gradients.alpha[0], ElementsAreArray({2 * -0.5 + 4 * -0.25}));
  EXPECT_THAT(gradients.alpha[1], ElementsAreArray({16 * 1 + 32 * 2.}));
}

TEST_P(NonUniform, ANegativeSlopeQuantizesAsItsMagnitudeAndTurnsItsGradient) {
  const Problem positive{.x = {0.75, 2.25, 3.25}};
  Problem negative = positive;
  negative.alpha = {{-1}, {0.5}, {-2}};
  EXPECT_EQ(forward(negative), forward(positive));
  const Gradients expected = backward(positive), actual = backward(negative);
  EXPECT_EQ(actual.x, expected.x);
  EXPECT_EQ(actual.alpha[0][0], -expected.alpha[0][0]);
  EXPECT_EQ(actual.alpha[1][0], expected.alpha[1][0]);
  EXPECT_EQ(actual.alpha[2][0], -expected.alpha[2][0]);
}

TEST_P(NonUniform, ASlopeOfZeroLeavesFiniteGradients) {
  const Problem problem{.x = {-1, 0, 0.75, 100}, .alpha = {{0}, {0.5}, {2}}};
  EXPECT_THAT(forward(problem), Each(0));
  const Gradients gradients = backward(problem);
  EXPECT_THAT(gradients.x, Each(0));
  for (const Values& alpha : gradients.alpha) EXPECT_THAT(alpha, ElementsAreArray({0.}));
}

TEST_P(NonUniform, InfinitiesAreClippedAndLeaveFiniteGradients) {
  const Problem half{.x = {kInfinity, -kInfinity}};
  EXPECT_THAT(forward(half), ElementsAreArray({3., 0.}));
  EXPECT_THAT(forward(ternary({kInfinity, -kInfinity})), ElementsAreArray({1., -1.}));
  for (const Problem& problem : {half, ternary({kInfinity, -kInfinity})}) {
    const Gradients gradients = backward(problem);
    EXPECT_THAT(gradients.x, Each(0));
    for (const Values& alpha : gradients.alpha) EXPECT_THAT(alpha, ElementsAreArray({0.}));
  }
}

TEST_P(NonUniform, NotANumberStaysNotANumber) {
  for (const Problem& problem : {Problem{.x = {1, kNaN, 3}}, ternary({1, kNaN, 3})}) {
    const Values y = forward(problem);
    EXPECT_FALSE(std::isnan(y[0]) || std::isnan(y[2]));
    EXPECT_TRUE(std::isnan(y[1]));
    const Gradients gradients = backward(problem);
    EXPECT_EQ(gradients.x[1], 0);
    for (const Values& alpha : gradients.alpha) EXPECT_THAT(alpha, Each(IsNan()));
    EXPECT_TRUE(std::isnan(fit(target, problem).basis));
  }
}

TEST_P(NonUniform, TheBasisIsAConstantFactor) {
  Problem problem{.x = {0.75, 2.25, 3.25, 9}};
  const Gradients expected = backward(problem);
  problem.basis = {-0.5};
  EXPECT_THAT(forward(problem), ElementsAreArray({-0.5, -1., -1., -1.5}));
  const Gradients actual = backward(problem);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(actual.x[i], -0.5 * expected.x[i]);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(actual.alpha[i][0], -0.5 * expected.alpha[i][0]);
}

// y = 1, 2, 0, 0: sum(y x) = 7, sum(y y) = 5.
TEST_P(NonUniform, TheFitIsTheFactorOfLeastSquares) {
  const Problem problem{.x = {1, 3, -1, 0.25}};
  const double tolerance = 4 * rounding(target.compute());
  const Fit fresh = fit(target, problem);
  EXPECT_NEAR(fresh.auxil, 1.4, tolerance);
  EXPECT_EQ(fresh.basis, fresh.auxil);
  const Fit mean = fit(target, problem, /*running_mean=*/true);
  EXPECT_NEAR(mean.auxil, 1.4, tolerance);
  EXPECT_NEAR(mean.basis, (3 * 3 + 1.4) / 4, 2 * tolerance);
  // Nothing is left of what was there before the first pass, which counts twice.
  EXPECT_NEAR(fit(target, problem, /*running_mean=*/true, 2).basis, 1.4, tolerance);
}

// Inside the steps of slopes 1, 0.5, 2, from 0, 1, 3 on: 0 0.5 1, 1 2, none.
TEST_P(NonUniform, SteScaleCountsTheElementsInsideEachStep) {
  Problem problem{.x = {0, 0.5, 1, 2, -1, 4, 5, 6, 7, 8}};
  const Parameters parameters(target, problem);
  const Array x(target.backend, target.x, problem.x);
  const Array sums(target.backend, ScalarType::float64, Values(NonUniformFit::kSums, 99));
  non_uniform_fit(target.backend, {.x = x.input(),
                                   .size = problem.size(),
                                   .groups = problem.groups,
                                   .steps = parameters.steps(),
                                   .counts_inside = true,
                                   .sums = static_cast<double*>(sums.data()),
                                   .workspace = workspace(target.backend)});
  EXPECT_THAT(sums.values(), ElementsAreArray({3., 2., 0., 10.}));
  const Gradients usual = backward(problem);
  problem.counted = sums.values();
  const Gradients scaled = backward(problem);
  // sqrt(10 / 3) is below 2: only the second step, sqrt(10 / 2), is scaled.
  EXPECT_EQ(scaled.x[1], usual.x[1]);
  EXPECT_NEAR(scaled.x[3], std::sqrt(5.) * usual.x[3], 4 * rounding(target.x));
  EXPECT_NEAR(scaled.alpha[1][0], std::sqrt(5.) * usual.alpha[1][0],
              20 * rounding(target.compute()));
}

TEST_P(NonUniform, TheFitFollowsFromTheSumsOfParts) {
  Problem whole;
  whole.x = {0.25, 0.5, 1, 0.75, -1, 0.125};
  whole.groups = {6, 1};
  Problem first = whole, second = whole;
  first.x.resize(2);
  first.groups = {2, 1};
  second.x.erase(second.x.begin(), second.x.begin() + 2);
  second.groups = {4, 1};
  const Fit expected = fit(target, whole), found = fit_sums(target, {first, second});
  EXPECT_NEAR(found.basis, expected.basis, 1e-5);
  EXPECT_NEAR(found.auxil, expected.auxil, 1e-5);
  // Only zero levels: the mean needs the number of all elements.
  first.x = {0, 0};
  second.x = {0, 0, 0, -0.5};
  EXPECT_NEAR(fit_sums(target, {first, second}).auxil, -0.5 / 6, 1e-5);
}

TEST_P(NonUniform, TheFitOfNothingButZeroLevelsIsTheMean) {
  EXPECT_EQ(fit(target, {.x = {0.25, -0.75}}).basis, -0.25);
  EXPECT_EQ(fit(target, {.x = Values(5000)}).basis, 0);
  EXPECT_EQ(fit(target, {.x = {}}).basis, 3);
}

std::vector<std::int64_t> places_of_group(const Groups& groups, std::int64_t size,
                                          std::int64_t group) {
  std::vector<std::int64_t> places;
  for (std::int64_t i = 0; i < size; ++i)
    if (groups.of(i) == group) places.push_back(i);
  return places;
}

// Each group must come out as if it were alone.
TEST_P(NonUniform, GroupsAreIndependent) {
  for (const Groups groups :
       {Groups{6, 2}, Groups{3, 4}, Groups{512, 2}, Groups{20000, 3}, Groups{1, 8}}) {
    const std::int64_t size = 2 * groups.run * groups.count;
    Problem problem{.x = rounded(target.x, random_values(size, -1, 4, 1)),
                    .grad_y = rounded(target.y, random_values(size, -1, 1, 2)),
                    .alpha = {}};
    for (unsigned i = 0; i < 3; ++i)
      problem.alpha.push_back(
          rounded(target.compute(), random_values(groups.count, 0.5, 2, 3 + i)));
    problem.level_num = 4;
    problem.groups = groups;
    const Values y = forward(problem);
    const Gradients gradients = backward(problem);
    for (std::int64_t group = 0; group < groups.count; ++group) {
      Problem alone{.x = {}, .alpha = {}, .level_num = 4};
      for (const Values& alpha : problem.alpha) alone.alpha.push_back({alpha[group]});
      const auto places = places_of_group(groups, size, group);
      for (const std::int64_t place : places) {
        alone.x.push_back(problem.x[place]);
        alone.grad_y.push_back(problem.grad_y[place]);
      }
      alone.groups = {alone.size(), 1};
      const Values alone_y = forward(alone);
      const Gradients alone_gradients = backward(alone);
      for (std::size_t i = 0; i < places.size(); ++i) {
        ASSERT_EQ(y[places[i]], alone_y[i]);
        ASSERT_EQ(gradients.x[places[i]], alone_gradients.x[i]);
      }
      for (std::size_t i = 0; i < 3; ++i)
        EXPECT_NEAR(gradients.alpha[i][group], alone_gradients.alpha[i][0],
                    static_cast<double>(size) * 16 * rounding(target.compute()));
    }
  }
}

TEST_P(NonUniform, TheFitIsOverAllGroups) {
  // y = 1, 0 in the first group, 1, 1 in the second: sum(y x) = 1 + 0.5 + 2, sum(y y) = 3.
  const Problem problem{
      .x = {1, 0.25, 0.5, 2}, .alpha = {{1, 4}}, .level_num = 2, .groups = {2, 2}};
  EXPECT_NEAR(fit(target, problem).basis, 3.5 / 3, 4 * rounding(target.compute()));
}

TEST_P(NonUniform, EverySizeMatchesTheReference) {
  for (const std::size_t size : {1, 2, 7, 8, 9, 31, 255, 257, 8191, 8193, 100003}) {
    for (const NonUniformRange range : {NonUniformRange::half, NonUniformRange::ternary}) {
      Problem problem{.x = rounded(target.x, random_values(size, -2, 4, 6)),
                      .grad_y = rounded(target.y, random_values(size, -1, 1, 7)),
                      .alpha = {{0.9}, {1.3}},
                      .range = range,
                      .basis = {0.75}};
      EXPECT_EQ(forward(problem), rounded(target.y, kernels::forward(plain, problem))) << size;
      const Gradients actual = backward(problem), expected = kernels::backward(plain, problem);
      EXPECT_EQ(actual.x, rounded(target.x, expected.x)) << size;
      // Of the sums, only the order differs.
      const double error = 16 * rounding(target.compute()) * static_cast<double>(size);
      for (std::size_t i = 0; i < 2; ++i)
        EXPECT_NEAR(actual.alpha[i][0], expected.alpha[i][0], error) << size;
      EXPECT_NEAR(fit(target, problem).basis, fit(plain, problem).basis,
                  8 * rounding(target.compute()))
          << size;
    }
  }
}

TEST_P(NonUniform, RepeatedCallsGiveTheSameBits) {
  const Problem problem{.x = random_values(300000, -1, 4, 8),
                        .grad_y = random_values(300000, -1, 1, 9)};
  const Gradients first = backward(problem);
  const Fit first_fit = fit(target, problem);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(backward(problem).alpha, first.alpha);
    EXPECT_EQ(fit(target, problem).basis, first_fit.basis);
  }
}

TEST_P(NonUniform, AnEmptyArrayHasZeroGradients) {
  const Problem problem{.x = {}};
  EXPECT_TRUE(forward(problem).empty());
  for (const Values& alpha : backward(problem).alpha) EXPECT_THAT(alpha, ElementsAreArray({0.}));
}

TEST(NonUniformThreads, OneAndTwoThreadsGiveTheSameBits) {
  const int before = omp_get_max_threads();
  const Target cpu{Backend::cpu, ScalarType::float32, ScalarType::float32};
  const Problem problem{.x = random_values(100003, -1, 4, 10),
                        .grad_y = random_values(100003, -1, 1, 11)};
  omp_set_num_threads(1);
  const Values y = forward(cpu, problem);
  const Gradients gradients = backward(cpu, problem);
  const double basis = fit(cpu, problem).basis;
  omp_set_num_threads(2);
  EXPECT_EQ(forward(cpu, problem), y);
  EXPECT_EQ(backward(cpu, problem).x, gradients.x);
  EXPECT_EQ(backward(cpu, problem).alpha, gradients.alpha);
  EXPECT_EQ(fit(cpu, problem).basis, basis);
  omp_set_num_threads(before);
}

TEST(NonUniformArguments, WrongOnesAreNamed) {
  float numbers[4] = {1, 1, 1, 3};
  const auto message = [](const NonUniformForward& args) -> std::string {
    try {
      non_uniform_forward(Backend::cpu, args);
    } catch (const core::Error& error) {
      EXPECT_EQ(error.kind(), core::ErrorKind::usage);
      return error.what();
    }
    return "no error";
  };
  NonUniformForward args{
      .x = {numbers},
      .y = {numbers + 1},
      .size = 1,
      .groups = {1, 1},
      .steps = {.alpha = {numbers + 2, numbers + 2}, .count = 2, .level_num = numbers + 3}};
  EXPECT_EQ(message(args), "no error");
  args.steps.count = 3;
  EXPECT_EQ(message(args), "non_uniform_forward: alpha is null");
  args.steps.range = NonUniformRange::ternary;
  EXPECT_EQ(message(args), "non_uniform_forward: 3 steps in a ternary range, which has 2");
  args.steps.range = NonUniformRange::half;
  args.steps.count = 4;
  EXPECT_EQ(message(args), "non_uniform_forward: 4 steps in half range, which has 1 to 3");
  args.steps.count = 2;
  args.steps.level_num = nullptr;
  EXPECT_EQ(message(args), "non_uniform_forward: level_num is null");
}

}  // namespace
}  // namespace lowbit::kernels
