#include "lowbit/kernels/xnor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <limits>

#include "lowbit/core/error.h"
#include "target_test.h"

namespace lowbit::kernels {
namespace {

using testing::DoubleNear;
using testing::ElementsAreArray;
using testing::IsNan;
using testing::Pointwise;

struct Problem {
  Values x;
  Values grad_y = Values(x.size(), 1.0);
  Means means = {};
  XnorMask mask = XnorMask::none;
  Values gamma = {};  // empty: none
};

Values forward(const Target& target, const Problem& problem) {
  const Array x(target.backend, target.x, problem.x);
  const Array y(target.backend, target.y, Values(problem.x.size(), 99));
  const Array gamma(target.backend, target.compute(), problem.gamma);
  xnor_forward(target.backend, {.x = x.input(),
                                .y = y.output(),
                                .size = static_cast<std::int64_t>(problem.x.size()),
                                .means = problem.means,
                                .gamma = problem.gamma.empty() ? nullptr : gamma.data(),
                                .workspace = workspace(target.backend)});
  return y.values();
}

struct Gradients {
  Values x, gamma;
};

Gradients backward(const Target& target, const Problem& problem) {
  const Array x(target.backend, target.x, problem.x);
  const Array grad_y(target.backend, target.y, problem.grad_y);
  const Array grad_x(target.backend, target.x, Values(problem.x.size(), 99));
  const Array gamma(target.backend, target.compute(), problem.gamma);
  const Array grad_gamma(target.backend, target.compute(), Values(problem.gamma.size(), 99));
  xnor_backward(target.backend, {.x = x.input(),
                                 .grad_y = grad_y.input(),
                                 .grad_x = grad_x.output(),
                                 .size = static_cast<std::int64_t>(problem.x.size()),
                                 .means = problem.means,
                                 .mask = problem.mask,
                                 .gamma = problem.gamma.empty() ? nullptr : gamma.data(),
                                 .grad_gamma = grad_gamma.data(),
                                 .workspace = workspace(target.backend)});
  return {grad_x.values(), grad_gamma.values()};
}

class Xnor : public TargetTest {};

LOWBIT_ON_ALL_TARGETS(Xnor);

TEST_P(Xnor, WithoutMeansTheResultIsTheSignAndThatOfZeroIsPlus) {
  EXPECT_THAT(forward(target, {.x = {-3, -1, -0x1p-20, -0.0, 0, 0x1p-20, 1, 3}}),
              ElementsAreArray({-1., -1., -1., 1., 1., 1., 1., 1.}));
}

// 2^-8 below and above 1 are numbers of every type.
const Values kEdges{-2, -1, -0.99609375, -0.5, 0, 0.5, 0.99609375, 1, 2};

TEST_P(Xnor, SteMaskExcludesBothEnds) {
  EXPECT_THAT(backward(target, {.x = kEdges, .mask = XnorMask::ste}).x,
              ElementsAreArray({0., 0., 1., 1., 1., 1., 1., 0., 0.}));
}

TEST_P(Xnor, TriangleMaskFallsFromTwoAtZeroToNothingAtOne) {
  EXPECT_THAT(backward(target, {.x = kEdges, .mask = XnorMask::triangle}).x,
              ElementsAreArray({0., 0., 0x1p-7, 1., 2., 1., 0x1p-7, 0., 0.}));
}

TEST_P(Xnor, WithoutMaskTheGradientPasses) {
  EXPECT_THAT(backward(target, {.x = {-7, -1, 0, 1, 7}, .grad_y = {1, -2, 4, 8, 16}}).x,
              ElementsAreArray({1., -2., 4., 8., 16.}));
}

TEST_P(Xnor, AMeanOverARowTurnsItsSignsButNotTheirGradient) {
  const Problem problem{.x = {1, -2, 0, 5, -0.5, 0.25, 0, 0.25},
                        .grad_y = {1, 2, 3, 4, 5, 6, 7, 8},
                        .means = {4, 1},
                        .mask = XnorMask::ste};
  EXPECT_THAT(forward(target, problem),
              ElementsAreArray({2., -2., 2., 2., -0.25, 0.25, 0.25, 0.25}));
  EXPECT_THAT(backward(target, problem).x, ElementsAreArray({0., 0., 3., 0., 5., 6., 7., 8.}));
}

// Two images of three channels and two pixels.
TEST_P(Xnor, AMeanOverAColumnIsOverTheChannelsOfAPixel) {
  EXPECT_THAT(forward(target, {.x = {1, -3, 2, 0, -3, 6, 0, -1, 0, 2, -0.0, 3}, .means = {3, 2}}),
              ElementsAreArray({2., -3., 2., 3., -2., 3., 0., -2., 0., 2., 0., 2.}));
}

TEST_P(Xnor, GammaScalesARowAndItsGradientIsTheSumOverIt) {
  const Problem problem{.x = {1, -2, 0, 5, -0.5, 0.25, 0, 0.25},
                        .grad_y = {1, 2, 3, 4, 5, 6, 7, 8},
                        .means = {4, 1},
                        .mask = XnorMask::ste,
                        .gamma = {2, -4}};
  EXPECT_THAT(forward(target, problem), ElementsAreArray({4., -4., 4., 4., 1., -1., -1., -1.}));
  const Gradients gradients = backward(target, problem);
  EXPECT_THAT(gradients.x, ElementsAreArray({0., 0., 6., 0., -20., -24., -28., -32.}));
  // 2 (1 - 2 + 3 + 4) and 1/4 (-5 + 6 + 7 + 8)
  EXPECT_THAT(gradients.gamma, ElementsAreArray({12., 4.}));
}

// Around the widths of vectors, warps, blocks and launches, and of one long row among few.
std::vector<std::pair<std::size_t, Means>> shapes_for(const Target& target) {
  std::vector<std::pair<std::size_t, Means>> shapes = {{1, {0, 1}},
                                                       {1025, {0, 1}},
                                                       {100003, {0, 1}},
                                                       {7, {1, 1}},
                                                       {21, {7, 1}},
                                                       {64, {16, 1}},
                                                       {4 * 576, {576, 1}},
                                                       {3 * 2048, {2048, 1}},
                                                       {5 * 2049, {2049, 1}},
                                                       {3 * 4608, {4608, 1}},
                                                       {100003, {100003, 1}},
                                                       {3 * 33000, {33000, 1}},

                                                       {2 * 5 * 3, {5, 3}},
                                                       {3 * 16 * 64, {16, 64}},
                                                       {2 * 64 * 49, {64, 49}},
                                                       {2 * 1024 * 16, {1024, 16}},
                                                       {3 * 8 * 1100, {8, 1100}}};
  if (target.backend == Backend::cuda) shapes.push_back({600 * 20000, {20000, 1}});
  return shapes;
}

TEST_P(Xnor, EveryShapeMatchesTheReference) {
  for (const auto& [size, means] : shapes_for(target)) {
    const bool with_gamma = means.length > 0 && means.stride == 1;
    const Problem problem{
        .x = rounded(target.x, random_values(size, -2, 2, 1)),
        .grad_y = rounded(target.y, random_values(size, -1, 1, 2)),
        .means = means,
        .mask = XnorMask::triangle,
        .gamma = with_gamma
                     ? rounded(target.compute(), random_values(size / means.length, -2, 2, 3))
                     : Values{}};
    const std::string shape = std::to_string(size) + " / " + std::to_string(means.length) + " x " +
                              std::to_string(means.stride);
    // The sums differ in their order alone, in float64.
    const Values y = forward(target, problem), expected = forward(plain, problem);
    for (std::size_t i = 0; i < size; ++i)
      ASSERT_NEAR(y[i], expected[i], 4 * rounding(target.y)) << shape;
    const Gradients gradients = backward(target, problem), wanted = backward(plain, problem);
    EXPECT_EQ(gradients.x, rounded(target.x, wanted.x)) << shape;
    for (std::size_t i = 0; i < wanted.gamma.size(); ++i)
      ASSERT_NEAR(gradients.gamma[i], wanted.gamma[i],
                  4 * rounding(target.compute()) * (1 + std::abs(wanted.gamma[i])) +
                      1e-15 * static_cast<double>(means.length))
          << shape;
  }
}

TEST_P(Xnor, RepeatedRunsHaveTheSameBits) {
  const Problem problem{.x = random_values(100000, -2, 2, 4),
                        .grad_y = random_values(100000, -1, 1, 5),
                        .means = {50000, 1},
                        .gamma = {0.5, 2}};
  const Values y = forward(target, problem);
  const Values gamma = backward(target, problem).gamma;
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(forward(target, problem), y);
    EXPECT_EQ(backward(target, problem).gamma, gamma);
  }
}

TEST_P(Xnor, ANumberThatIsNoneStaysSoWithAllThatShareItsMean) {
  const Values alone = forward(target, {.x = {-1, kNaN, kInfinity, -kInfinity}});
  EXPECT_EQ(alone[0], -1);
  EXPECT_TRUE(std::isnan(alone[1]));
  EXPECT_EQ(alone[2], 1);
  EXPECT_EQ(alone[3], -1);
  for (const Means means : {Means{2, 1}, Means{2, 2}}) {
    // Rows {0, 1} and {2, 3}, or columns {0, 2} and {1, 3}.
    const Values y = forward(target, {.x = {kNaN, 1, 2, 3}, .means = means});
    const int partner = means.stride == 1 ? 1 : 2;
    EXPECT_TRUE(std::isnan(y[0]));
    EXPECT_TRUE(std::isnan(y[static_cast<std::size_t>(partner)]));
    EXPECT_EQ(y[static_cast<std::size_t>(3 - partner)], means.stride == 1 ? 2.5 : 2);
  }
  EXPECT_THAT(forward(target, {.x = {kInfinity, -1}, .means = {2, 1}}),
              ElementsAreArray({kInfinity, -kInfinity}));
  EXPECT_THAT(backward(target, {.x = {kNaN}, .mask = XnorMask::ste}).x, ElementsAreArray({0.}));
  EXPECT_THAT(backward(target, {.x = {kNaN}, .mask = XnorMask::triangle}).x,
              ElementsAreArray({0.}));
}

TEST_P(Xnor, ARowOfZerosBecomesZeroAndLetsTheGradientThrough) {
  const Problem problem{.x = {0, -0.0, 0, 3}, .means = {2, 1}, .mask = XnorMask::ste};
  EXPECT_THAT(forward(target, problem), ElementsAreArray({0., 0., 1.5, 1.5}));
  EXPECT_THAT(backward(target, problem).x, ElementsAreArray({1., 1., 1., 0.}));
}

TEST_P(Xnor, EmptyArraysAreAccepted) {
  EXPECT_TRUE(forward(target, {}).empty());
  EXPECT_TRUE(forward(target, {.x = {}, .means = {3, 4}}).empty());
  EXPECT_TRUE(backward(target, {}).x.empty());
}

TEST(XnorThreads, OneAndTwoThreadsGiveTheSameBits) {
  const int before = omp_get_max_threads();
  const Target cpu{Backend::cpu, ScalarType::float32, ScalarType::float32};
  for (const Means means : {Means{100000, 1}, Means{100, 1}, Means{100, 1000}}) {
    Problem problem{.x = random_values(300000, -2, 2, 6),
                    .grad_y = random_values(300000, -1, 1, 7),
                    .means = means};
    if (means.stride == 1)
      problem.gamma = random_values(300000 / static_cast<std::size_t>(means.length), 0.5, 2, 8);
    omp_set_num_threads(1);
    const Values y = forward(cpu, problem), gamma = backward(cpu, problem).gamma;
    omp_set_num_threads(2);
    EXPECT_EQ(forward(cpu, problem), y);
    EXPECT_EQ(backward(cpu, problem).gamma, gamma);
  }
  omp_set_num_threads(before);
}

TEST(XnorArguments, WrongOnesAreNamed) {
  float numbers[6] = {};
  const auto message = [&](const XnorForward& args) -> std::string {
    try {
      xnor_forward(Backend::cpu, args);
    } catch (const core::Error& error) {
      return error.what();
    }
    return "no error";
  };
  XnorForward args{.x = {numbers}, .y = {numbers + 2}, .size = 2, .means = {}};
  EXPECT_EQ(message(args), "no error");
  args.gamma = numbers + 4;
  EXPECT_EQ(message(args), "xnor_forward: gamma needs means with a stride of 1");
  args.gamma = nullptr;
  args.means = {3, 1};
  EXPECT_THAT(message(args), testing::HasSubstr("2 elements do not divide into means over 3"));
  args.means = {1, 3};
  EXPECT_THAT(message(args), testing::HasSubstr("with a stride of 3"));
  args.means = {-1, 1};
  EXPECT_THAT(message(args), testing::HasSubstr("means over -1 elements"));
  args.means = {};
  args.y.data = nullptr;
  EXPECT_EQ(message(args), "xnor_forward: y is null");
}

}  // namespace
}  // namespace lowbit::kernels
