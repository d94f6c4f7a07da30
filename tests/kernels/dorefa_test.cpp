#include "lowbit/kernels/dorefa.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <limits>

#include "lowbit/core/error.h"
#include "lowbit/kernels/formula.h"
#include "lowbit/kernels/math/dorefa.h"
#include "target_test.h"

namespace lowbit::kernels {
namespace {

using testing::DoubleNear;
using testing::Each;
using testing::ElementsAreArray;
using testing::IsNan;
using testing::Pointwise;

Values activation_forward(const Target& target, const Values& x, double level_num,
                          double boundary) {
  const Array in(target.backend, target.x, x), out(target.backend, target.y, Values(x.size(), 99));
  const Array levels(target.backend, target.compute(), {level_num});
  const auto size = static_cast<std::int64_t>(x.size());
  formula_kernels<DorefaActivation>().forward(
      target.backend,
      {.x = in.input(),
       .y = out.output(),
       .size = size,
       .groups = {size, 1},
       .arguments = {.level_num = levels.data(), .boundary = boundary}},
      nullptr);
  return out.values();
}

Values activation_backward(const Target& target, const Values& x, const Values& grad_y,
                           double boundary) {
  const Array in(target.backend, target.x, x), grad(target.backend, target.y, grad_y);
  const Array out(target.backend, target.x, Values(x.size(), 99));
  const Array levels(target.backend, target.compute(), {4});
  const auto size = static_cast<std::int64_t>(x.size());
  formula_kernels<DorefaActivation>().backward(
      target.backend,
      {.x = in.input(),
       .grad_y = grad.input(),
       .grad_x = out.output(),
       .size = size,
       .groups = {size, 1},
       .arguments = {.level_num = levels.data(), .boundary = boundary}},
      nullptr);
  return out.values();
}

Values weight_forward(const Target& target, const Values& x, double level_num, double boundary) {
  const Array in(target.backend, target.x, x), out(target.backend, target.y, Values(x.size(), 99));
  const Array levels(target.backend, target.compute(), {level_num});
  dorefa_weight_forward(target.backend, {.x = in.input(),
                                         .y = out.output(),
                                         .size = static_cast<std::int64_t>(x.size()),
                                         .level_num = levels.data(),
                                         .boundary = boundary,
                                         .workspace = workspace(target.backend)});
  return out.values();
}

Values weight_backward(const Target& target, const Values& x, const Values& grad_y) {
  const Array in(target.backend, target.x, x), grad(target.backend, target.y, grad_y);
  const Array out(target.backend, target.x, Values(x.size(), 99));
  dorefa_weight_backward(target.backend, {.x = in.input(),
                                          .grad_y = grad.input(),
                                          .grad_x = out.output(),
                                          .size = static_cast<std::int64_t>(x.size()),
                                          .workspace = workspace(target.backend)});
  return out.values();
}

Values binary_forward(const Target& target, const Values& x) {
  const Array in(target.backend, target.x, x), out(target.backend, target.y, Values(x.size(), 99));
  binary_weight_forward(target.backend, {.x = in.input(),
                                         .y = out.output(),
                                         .size = static_cast<std::int64_t>(x.size()),
                                         .workspace = workspace(target.backend)});
  return out.values();
}

class Dorefa : public TargetTest {
 protected:
  // Sizes around the vector width, and such as one block, one launch and several blocks take.
  const std::vector<std::size_t> sizes{1, 2, 7, 8, 9, 33, 1025, 16384, 16385, 100003};
};

LOWBIT_ON_ALL_TARGETS(Dorefa);

// Boundary 4 and 5 levels: a step of 1, exact in every type.
TEST_P(Dorefa, ActivationsAreClippedAndRoundTiesToEven) {
  EXPECT_THAT(activation_forward(target, {-3, 0, 0.5, 0.75, 1.5, 2.5, 3.5, 4, 4.03125, 100}, 5, 4),
              ElementsAreArray({0., 0., 0., 1., 2., 2., 4., 4., 4., 4.}));
}

TEST_P(Dorefa, TwoActivationLevelsAreTheEnds) {
  EXPECT_THAT(activation_forward(target, {-3, 0.25, 0.5, 0.75, 3}, 2, 1),
              ElementsAreArray({0., 0., 0., 1., 1.}));
}

TEST_P(Dorefa, ActivationGradientIsInclusiveAtBothEnds) {
  EXPECT_THAT(
      activation_backward(target, {-0x1p-20, 0, 0x1p-20, 2, 3.984375, 4, 4.03125, kInfinity},
                          {1, 2, 3, 4, 5, 6, 7, 8}, 4),
      ElementsAreArray({0., 2., 3., 4., 5., 6., 0., 0.}));
}

TEST_P(Dorefa, ActivationsThatAreNotNumbersStaySo) {
  const Values y = activation_forward(target, {1, kNaN, kInfinity, -kInfinity}, 5, 4);
  EXPECT_EQ(y[0], 1);
  EXPECT_TRUE(std::isnan(y[1]));
  EXPECT_EQ(y[2], 4);
  EXPECT_EQ(y[3], 0);
  EXPECT_THAT(activation_backward(target, {kNaN}, {1}, 4), ElementsAreArray({0.}));
}

TEST_P(Dorefa, ActivationsOfEverySizeMatchTheReference) {
  for (const std::size_t size : sizes) {
    const Values x = rounded(target.x, random_values(size, -0.5, 1.5, 1));
    const Values grad_y = rounded(target.y, random_values(size, -1, 1, 2));
    EXPECT_EQ(activation_forward(target, x, 16, 0.9),
              rounded(target.y, activation_forward(plain, x, 16, 0.9)));
    EXPECT_EQ(activation_backward(target, x, grad_y, 0.9),
              rounded(target.x, activation_backward(plain, x, grad_y, 0.9)));
  }
}

// The two cases below were computed by PyTorch 2.11's autograd in float64:
//   t = torch.tanh(x); u = t / (2 * t.abs().max()) + 0.5
//   y = 2 * (u + (torch.round(u * n / c) * c / n - u).detach()) - 1; y.backward(grad_y)
const Values kGradY{0.5, -1.0, 0.25, 2.0, -0.75, 1.5, 0.125, -3.0};
// Three elements tie for the maximum.
const Values kTied{0.5, -1.25, 0.75, 1.25, -0.0625, 0.0, -1.25, 0.25};
// One has it alone.
const Values kUntied{0.5, -1.25, 0.75, 1.0, -0.0625, 0.0, -0.875, 0.25};

TEST_P(Dorefa, WeightsMatchAutograd) {
  const double tolerance = 4 * rounding(target.y);
  EXPECT_THAT(
      weight_forward(target, kTied, 4, 1),
      Pointwise(DoubleNear(tolerance), Values{1. / 3, -1, 1, 1, -1. / 3, 1. / 3, -1, 1. / 3}));
  EXPECT_THAT(weight_forward(target, kUntied, 16, 0.5),
              Pointwise(DoubleNear(tolerance),
                        Values{8. / 15, -1, 11. / 15, 13. / 15, -1. / 15, 0, -12. / 15, 4. / 15}));
}

TEST_P(Dorefa, WeightGradientsMatchAutograd) {
  const double tolerance = 16 * rounding(target.x);
  EXPECT_THAT(weight_backward(target, kTied, kGradY),
              Pointwise(DoubleNear(tolerance),
                        Values{0.4635523402321642, -0.05249529370465123, 0.17582144113707415,
                               0.38306263341484237, -0.8806935438225244, 1.768276469501556,
                               0.31939296346931384, -3.324412276252762}));
  EXPECT_THAT(weight_backward(target, kUntied, kGradY),
              Pointwise(DoubleNear(tolerance),
                        Values{0.4635523402321642, 0.44311763999340864, 0.17582144113707415,
                               0.9901743280939874, -0.8806935438225244, 1.768276469501556,
                               0.07434378033800847, -3.324412276252762}));
}

// y does not depend on the scale of tanh(x), so no gradient points along it.
TEST_P(Dorefa, WeightGradientsLeaveTheScaleAlone) {
  const Values x = rounded(target.x, random_values(40000, -1, 1, 3));
  const Values grad_y = rounded(target.y, random_values(40000, -1, 1, 4));
  const Values grad_x = weight_backward(target, x, grad_y);
  double along = 0, magnitude = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double t = std::tanh(x[i]);
    along += grad_x[i] / (1 - t * t) * t;
    magnitude += std::abs(grad_x[i] / (1 - t * t) * t);
  }
  EXPECT_NEAR(along, 0, magnitude * rounding(target.x));
}

TEST_P(Dorefa, WeightsOfEverySizeMatchTheReference) {
  for (const std::size_t size : sizes) {
    const Values x = rounded(target.x, random_values(size, -2, 2, 5));
    const Values grad_y = rounded(target.y, random_values(size, -1, 1, 6));
    // Libraries' tanh differ by units in the last place, which moves a weight by a whole level if
    // it lies that near to the middle between two.
    const Values y = weight_forward(target, x, 4, 1), expected_y = weight_forward(plain, x, 4, 1);
    std::size_t moved = 0;
    for (std::size_t i = 0; i < size; ++i)
      moved += std::abs(y[i] - expected_y[i]) > 4 * rounding(target.y);
    EXPECT_LE(moved, target.backend == Backend::cuda ? size / 10000 : 0);
    const Values grad_x = weight_backward(target, x, grad_y);
    const Values expected_grad_x = weight_backward(plain, x, grad_y);
    // The gradient of the largest weight is a sum over all of them, in float64 whatever the type;
    // its order is the back end's own.
    const double sum_error = rounding(ScalarType::float64) * static_cast<double>(size);
    for (std::size_t i = 0; i < size; ++i)
      ASSERT_NEAR(grad_x[i], expected_grad_x[i],
                  64 * rounding(target.x) * (1 + std::abs(expected_grad_x[i])) + sum_error);
  }
}

TEST_P(Dorefa, RepeatedWeightGradientsHaveTheSameBits) {
  const Values x = random_values(100003, -2, 2, 7), grad_y = random_values(100003, -1, 1, 8);
  const Values first = weight_backward(target, x, grad_y);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(weight_backward(target, x, grad_y), first);
}

TEST_P(Dorefa, OneWeightThatIsNotANumberMakesAllOfThemSo) {
  for (const std::size_t size : {9u, 50000u}) {
    Values x(size, 0.5);
    x[size / 2] = kNaN;
    EXPECT_THAT(weight_forward(target, x, 4, 1), Each(IsNan()));
    EXPECT_THAT(weight_backward(target, x, Values(size, 1)), Each(IsNan()));
    EXPECT_THAT(binary_forward(target, x), Each(IsNan()));
  }
}

TEST_P(Dorefa, WeightsThatAreAllZeroGiveNoNumber) {
  EXPECT_THAT(weight_forward(target, Values(9), 4, 1), Each(IsNan()));
}

TEST_P(Dorefa, AnInfiniteWeightIsTheLargest) {
  EXPECT_THAT(weight_forward(target, {kInfinity, -kInfinity, 0}, 3, 1),
              ElementsAreArray({1., -1., 0.}));
}

TEST_P(Dorefa, BinaryWeightsAreTheSignTimesTheMeanMagnitude) {
  EXPECT_THAT(binary_forward(target, {0, -0.0, -2, 4, -6}),
              Pointwise(DoubleNear(8 * rounding(target.y)), Values{2.4, 2.4, -2.4, 2.4, -2.4}));
}

TEST_P(Dorefa, BinaryWeightsOfEverySizeMatchTheReference) {
  for (const std::size_t size : sizes) {
    const Values x = rounded(target.x, random_values(size, -2, 2, 9));
    EXPECT_THAT(binary_forward(target, x),
                Pointwise(DoubleNear(4 * rounding(target.y)), binary_forward(plain, x)));
  }
}

TEST_P(Dorefa, EmptyArraysAreAccepted) {
  EXPECT_TRUE(activation_forward(target, {}, 4, 1).empty());
  EXPECT_TRUE(activation_backward(target, {}, {}, 1).empty());
  EXPECT_TRUE(weight_forward(target, {}, 4, 1).empty());
  EXPECT_TRUE(weight_backward(target, {}, {}).empty());
  EXPECT_TRUE(binary_forward(target, {}).empty());
}

TEST(DorefaThreads, OneAndTwoThreadsGiveTheSameBits) {
  const int before = omp_get_max_threads();
  const Target cpu{Backend::cpu, ScalarType::float32, ScalarType::float32};
  const Values x = random_values(100003, -2, 2, 10), grad_y = random_values(100003, -1, 1, 11);
  omp_set_num_threads(1);
  const Values y = weight_forward(cpu, x, 4, 1), grad_x = weight_backward(cpu, x, grad_y),
               binary = binary_forward(cpu, x), activations = activation_forward(cpu, x, 4, 1);
  omp_set_num_threads(2);
  EXPECT_EQ(weight_forward(cpu, x, 4, 1), y);
  EXPECT_EQ(weight_backward(cpu, x, grad_y), grad_x);
  EXPECT_EQ(binary_forward(cpu, x), binary);
  EXPECT_EQ(activation_forward(cpu, x, 4, 1), activations);
  omp_set_num_threads(before);
}

TEST(DorefaArguments, WrongOnesAreNamed) {
  float numbers[3] = {1, 1, 1};
  const auto message = [&](const DorefaWeightForward& args) -> std::string {
    try {
      dorefa_weight_forward(Backend::cpu, args);
    } catch (const core::Error& error) {
      return error.what();
    }
    return "no error";
  };
  DorefaWeightForward args{.x = {numbers}, .y = {numbers + 1}, .size = 1, .level_num = numbers + 2};
  EXPECT_EQ(message(args), "no error");
  for (const double boundary : {0.0, -1.0, kNaN}) {
    args.boundary = boundary;
    EXPECT_THAT(message(args), testing::HasSubstr("boundary"));
  }
  args.boundary = 1;
  args.level_num = nullptr;
  EXPECT_EQ(message(args), "dorefa_weight_forward: level_num is null");
}

}  // namespace
}  // namespace lowbit::kernels
