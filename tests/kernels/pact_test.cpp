#include "lowbit/kernels/math/pact.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <limits>

#include "lowbit/core/error.h"
#include "lowbit/kernels/formula.h"
#include "target_test.h"

namespace lowbit::kernels {
namespace {

using testing::DoubleNear;
using testing::Each;
using testing::ElementsAreArray;
using testing::IsNan;
using testing::Pointwise;

struct Gradients {
  Values x;
  double clip = 0;
};

const FormulaKernels kPact = formula_kernels<Pact>();

Groups one_group(const Values& x) {
  return {static_cast<std::int64_t>(x.size()), 1};
}

Values forward(const Target& target, const Values& x, double clip, double level_num = 5) {
  const Array in(target.backend, target.x, x), out(target.backend, target.y, Values(x.size(), 99));
  const Array clip_val(target.backend, target.compute(), {clip});
  const Array levels(target.backend, target.compute(), {level_num});
  kPact.forward(target.backend,
                {.x = in.input(),
                 .y = out.output(),
                 .size = static_cast<std::int64_t>(x.size()),
                 .groups = one_group(x),
                 .arguments = {.clip_val = clip_val.data(), .level_num = levels.data()}},
                nullptr);
  return out.values();
}

Gradients backward(const Target& target, const Values& x, const Values& grad_y, double clip) {
  const Array in(target.backend, target.x, x), grad(target.backend, target.y, grad_y);
  const Array out(target.backend, target.x, Values(x.size(), 99));
  const Array clip_val(target.backend, target.compute(), {clip});
  const Array levels(target.backend, target.compute(), {5});
  const Array grad_clip(target.backend, target.compute(), {99});
  kPact.backward(target.backend,
                 {.x = in.input(),
                  .grad_y = grad.input(),
                  .grad_x = out.output(),
                  .grad_clip = grad_clip.data(),
                  .size = static_cast<std::int64_t>(x.size()),
                  .groups = one_group(x),
                  .arguments = {.clip_val = clip_val.data(), .level_num = levels.data()},
                  .workspace = workspace(target.backend)},
                 nullptr);
  return {out.values(), grad_clip.values()[0]};
}

class PactFormula : public TargetTest {};

LOWBIT_ON_ALL_TARGETS(PactFormula);

// Clip value 4 and 5 levels: a step of 1, exact in every type.
TEST_P(PactFormula, ValuesAreClippedAndRoundTiesToEven) {
  EXPECT_THAT(forward(target, {-3, 0, 0.5, 0.75, 1.5, 2.5, 3.5, 4, 4.03125, 100}, 4),
              ElementsAreArray({0., 0., 0., 1., 2., 2., 4., 4., 4., 4.}));
}

TEST_P(PactFormula, TwoLevelsAreZeroAndTheClipValue) {
  EXPECT_THAT(forward(target, {-3, 0.5, 1, 1.5, 2, 3}, 2, 2),
              ElementsAreArray({0., 0., 0., 2., 2., 2.}));
}

// Zero belongs to the inside, the clip value itself does not: there the gradient is the clip
// value's. 2^-6 and 2^-5 below and above 4 are the nearest numbers of the coarsest type.
TEST_P(PactFormula, GradientsPartAtTheClipValue) {
  const Gradients gradients = backward(target, {-0x1p-20, 0, 0x1p-20, 2, 3.984375, 4, 4.03125, 64},
                                       {1, 2, 3, 4, 5, 6, 7, 8}, 4);
  EXPECT_THAT(gradients.x, ElementsAreArray({0., 2., 3., 4., 5., 0., 0., 0.}));
  EXPECT_EQ(gradients.clip, 6 + 7 + 8);
}

TEST_P(PactFormula, ANegativeClipValueIsTheOnlyLevelAndGetsEveryGradient) {
  EXPECT_THAT(forward(target, {-3, -1, 0, 5}, -2), Each(-2));
  const Gradients gradients = backward(target, {-3, -1, 0, 5}, {1, 2, 3, 4}, -2);
  EXPECT_THAT(gradients.x, Each(0));
  EXPECT_EQ(gradients.clip, 10);
}

TEST_P(PactFormula, AClipValueOfZeroGivesNoNumber) {
  EXPECT_THAT(forward(target, {-1, 0, 1}, 0), Each(IsNan()));
}

TEST_P(PactFormula, InfinitiesAreClippedAndLeaveFiniteGradients) {
  EXPECT_THAT(forward(target, {kInfinity, -kInfinity}, 4), ElementsAreArray({4., 0.}));
  const Gradients gradients = backward(target, {kInfinity, -kInfinity}, {1, 2}, 4);
  EXPECT_THAT(gradients.x, ElementsAreArray({0., 0.}));
  EXPECT_EQ(gradients.clip, 1);
}

TEST_P(PactFormula, NotANumberStaysNotANumber) {
  const Values y = forward(target, {1, kNaN, 9}, 4);
  EXPECT_EQ(y[0], 1);
  EXPECT_TRUE(std::isnan(y[1]));
  EXPECT_EQ(y[2], 4);
  const Gradients gradients = backward(target, {1, kNaN, 9}, {1, 1, 1}, 4);
  EXPECT_THAT(gradients.x, ElementsAreArray({1., 0., 0.}));
  EXPECT_TRUE(std::isnan(gradients.clip));
  EXPECT_THAT(forward(target, {1, 9}, kNaN), Each(IsNan()));
}

TEST_P(PactFormula, EverySizeMatchesTheReference) {
  for (const std::size_t size : {1, 2, 7, 8, 9, 31, 255, 257, 8191, 8193, 100003}) {
    const Values x = rounded(target.x, random_values(size, -0.5, 1.5, 1));
    const Values grad_y = rounded(target.y, random_values(size, -1, 1, 2));
    EXPECT_EQ(forward(target, x, 0.9, 16), rounded(target.y, forward(plain, x, 0.9, 16))) << size;
    const Gradients actual = backward(target, x, grad_y, 0.9);
    const Gradients expected = backward(plain, x, grad_y, 0.9);
    EXPECT_EQ(actual.x, rounded(target.x, expected.x)) << size;
    // Of the sum, only the order differs.
    EXPECT_THAT(actual.clip, DoubleNear(expected.clip, 4 * rounding(target.compute()) *
                                                           static_cast<double>(size)));
  }
}

TEST_P(PactFormula, RepeatedCallsGiveTheSameBits) {
  const Values x = random_values(300000, -1, 2, 3), grad_y = random_values(300000, -1, 1, 4);
  const double first = backward(target, x, grad_y, 0.7).clip;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(backward(target, x, grad_y, 0.7).clip, first);
}

TEST_P(PactFormula, AnEmptyArrayHasZeroClipGradient) {
  EXPECT_TRUE(forward(target, {}, 1).empty());
  EXPECT_EQ(backward(target, {}, {}, 1).clip, 0);
}

TEST(PactThreads, OneAndTwoThreadsGiveTheSameBits) {
  const int before = omp_get_max_threads();
  const Target cpu{Backend::cpu, ScalarType::float32, ScalarType::float32};
  const Values x = random_values(100003, -1, 2, 5), grad_y = random_values(100003, -1, 1, 6);
  omp_set_num_threads(1);
  const Values y = forward(cpu, x, 0.7);
  const Gradients gradients = backward(cpu, x, grad_y, 0.7);
  omp_set_num_threads(2);
  EXPECT_EQ(forward(cpu, x, 0.7), y);
  EXPECT_EQ(backward(cpu, x, grad_y, 0.7).x, gradients.x);
  EXPECT_EQ(backward(cpu, x, grad_y, 0.7).clip, gradients.clip);
  omp_set_num_threads(before);
}

TEST(FormulaArguments, WrongOnesAreNamed) {
  float numbers[4] = {1, 1, 1, 2};
  const auto message = [](const FormulaForward& args) -> std::string {
    try {
      kPact.forward(Backend::cpu, args, nullptr);
    } catch (const core::Error& error) {
      EXPECT_EQ(error.kind(), core::ErrorKind::usage);
      return error.what();
    }
    return "no error";
  };
  FormulaForward args{.x = {numbers},
                      .y = {numbers + 1},
                      .size = 1,
                      .groups = {1, 1},
                      .arguments = {.clip_val = numbers + 2, .level_num = numbers + 3}};
  EXPECT_EQ(message(args), "no error");
  args.size = -1;
  EXPECT_EQ(message(args), "quantizer, forward: a size of -1");
  args.size = 1;
  args.groups = {2, 1};
  EXPECT_EQ(message(args),
            "quantizer, forward: 1 elements do not divide into 1 groups with runs of 2 elements");
  args.groups = {1, 1};
  args.arguments.clip_val = nullptr;
  EXPECT_EQ(message(args), "quantizer, forward: clip_val is null");
  args.arguments = {.clip_val = numbers + 2, .level_num = numbers + 3, .boundary = 0};
  EXPECT_EQ(message(args), "quantizer, forward: a boundary of 0");
}

}  // namespace
}  // namespace lowbit::kernels
