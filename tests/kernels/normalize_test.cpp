#include "lowbit/kernels/normalize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "lowbit/core/error.h"
#include "target_test.h"

namespace lowbit::kernels {
namespace {

using testing::DoubleNear;
using testing::Each;
using testing::ElementsAreArray;
using testing::IsNan;
using testing::Pointwise;

Groups stretches(const Values& x, std::int64_t count) {
  return {static_cast<std::int64_t>(x.size()) / count, count};
}

struct Normalized {
  Values y, mean, std;
};

Normalized normalize(const Target& target, const Values& x, std::int64_t count) {
  const Array in(target.backend, target.x, x), out(target.backend, target.y, Values(x.size(), 99));
  const Values blank(static_cast<std::size_t>(count), 99);
  const Array mean(target.backend, target.compute(), blank);
  const Array std(target.backend, target.compute(), blank);
  normalize_forward(target.backend, {.x = in.input(),
                                     .y = out.output(),
                                     .size = static_cast<std::int64_t>(x.size()),
                                     .groups = stretches(x, count),
                                     .mean = mean.data(),
                                     .std = std.data(),
                                     .workspace = workspace(target.backend)});
  return {out.values(), mean.values(), std.values()};
}

Values restore(const Target& target, const Values& x, const Values& mean, const Values& std) {
  const Array in(target.backend, target.x, x), out(target.backend, target.y, Values(x.size(), 99));
  const Array means(target.backend, target.compute(), mean);
  const Array deviations(target.backend, target.compute(), std);
  restore_forward(target.backend, {.x = in.input(),
                                   .y = out.output(),
                                   .size = static_cast<std::int64_t>(x.size()),
                                   .groups = stretches(x, static_cast<std::int64_t>(mean.size())),
                                   .mean = means.data(),
                                   .std = deviations.data()});
  return out.values();
}

// Of normalize_backward and restore_backward.
template <class Args>
Values gradient(void (&backward)(Backend, const Args&, Stream), const Target& target,
                const Values& grad_y, const Values& std) {
  const Array grad(target.backend, target.y, grad_y);
  const Array out(target.backend, target.x, Values(grad_y.size(), 99));
  const Array deviations(target.backend, target.compute(), std);
  backward(target.backend,
           {.grad_y = grad.input(),
            .grad_x = out.output(),
            .size = static_cast<std::int64_t>(grad_y.size()),
            .groups = stretches(grad_y, static_cast<std::int64_t>(std.size())),
            .std = deviations.data()},
           nullptr);
  return out.values();
}

class Normalize : public TargetTest {};

LOWBIT_ON_ALL_TARGETS(Normalize);

// Both groups have whole numbers as mean and deviation: sqrt(8 / 2) and sqrt(32 / 2).
TEST_P(Normalize, SubtractsTheMeanAndDividesByTheUnbiasedDeviationOfEachGroup) {
  const Normalized result = normalize(target, {1, 3, 5, 6, 10, 14}, 2);
  EXPECT_THAT(result.mean, ElementsAreArray({3., 10.}));
  EXPECT_THAT(result.std, ElementsAreArray({2., 4.}));
  EXPECT_THAT(result.y, ElementsAreArray({-1., 0., 1., -1., 0., 1.}));
}

TEST_P(Normalize, GradientsAreDividedOrMultipliedByTheDeviation) {
  EXPECT_THAT(gradient(normalize_backward, target, {1, -2, 4, 8}, {2, 4}),
              ElementsAreArray({0.5, -1., 1., 2.}));
  EXPECT_THAT(gradient(restore_backward, target, {1, -2, 4, 8}, {2, 4}),
              ElementsAreArray({2., -4., 16., 32.}));
}

TEST_P(Normalize, RestoringMultipliesByTheDeviationAndAddsTheMean) {
  EXPECT_THAT(restore(target, {-1, 0, 1, 3}, {3, 10}, {2, 4}),
              ElementsAreArray({1., 3., 14., 22.}));
}

TEST_P(Normalize, RestoringUndoesIt) {
  const Values x = rounded(target.x, random_values(600, -1, 3, 1));
  const Normalized result = normalize(target, x, 6);
  EXPECT_THAT(restore(target, result.y, result.mean, result.std),
              Pointwise(DoubleNear(32 * rounding(target.y)), x));
}

// Groups around the widths of vectors, blocks and launches; one large group among few; more groups
// than blocks that could share them.
std::vector<std::pair<std::size_t, std::int64_t>> shapes_for(const Target& target) {
  std::vector<std::pair<std::size_t, std::int64_t>> shapes = {
      {2, 1},          {7, 1},     {18, 2},    {64 * 27, 64}, {1025, 1},
      {16 * 1152, 16}, {16384, 1}, {16385, 1}, {100003, 1},   {3 * 40000, 3}};
  if (target.backend == Backend::cuda) shapes.push_back({600 * 20000, 600});
  return shapes;
}

// Independent of every kernel: two passes, more precise than double.
std::pair<double, double> mean_and_deviation(const Values& x, std::size_t begin, std::size_t end) {
  const auto n = static_cast<double>(end - begin);
  long double sum = 0, squares = 0;
  for (std::size_t i = begin; i < end; ++i) sum += x[i];
  const long double mean = sum / n;
  for (std::size_t i = begin; i < end; ++i) squares += (x[i] - mean) * (x[i] - mean);
  return {static_cast<double>(mean), std::sqrt(static_cast<double>(squares / (n - 1)))};
}

void expect_standard_statistics(const Target& target, const Values& x, std::int64_t count) {
  const Normalized result = normalize(target, x, count);
  const double tolerance =
      4 * rounding(target.compute()) + 1e-11 * (target.x == ScalarType::float64);
  const std::size_t run = x.size() / static_cast<std::size_t>(count);
  for (std::size_t group = 0; group < static_cast<std::size_t>(count); ++group) {
    const auto [mean, deviation] = mean_and_deviation(x, group * run, (group + 1) * run);
    ASSERT_NEAR(result.mean[group], mean, tolerance * (std::abs(mean) + deviation)) << x.size();
    ASSERT_NEAR(result.std[group], deviation, tolerance * deviation) << x.size();
    for (std::size_t i = group * run; i < (group + 1) * run; ++i) {
      const double expected = (x[i] - result.mean[group]) / result.std[group];
      ASSERT_NEAR(result.y[i], expected,
                  (4 * rounding(target.compute()) + rounding(target.y)) * (1 + std::abs(expected)))
          << x.size();
    }
  }
}

TEST_P(Normalize, GroupsOfEverySizeHaveTheStatisticsOfTwoPasses) {
  for (const auto& [size, count] : shapes_for(target))
    expect_standard_statistics(target, rounded(target.x, random_values(size, -2, 3, 2)), count);
}

// The sum of squares of such numbers less the square of their sum would have no correct digit.
TEST_P(Normalize, AMeanFarAboveTheDeviationCostsNoDigitsOfIt) {
  Values x(50000);
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = target.x == ScalarType::float64   ? 1e9 + static_cast<double>(i % 7)
           : target.x == ScalarType::float32 ? 1e6 + static_cast<double>(i % 7)
                                             : 128 + static_cast<double>(i % 7);
  for (const std::int64_t count : {1, 50}) expect_standard_statistics(target, x, count);
}

TEST_P(Normalize, EqualElementsHaveNoDeviationAndBecomeNoNumber) {
  const Normalized result = normalize(target, {0.3, 0.3, 0.3, 1, 2, 3}, 2);
  EXPECT_EQ(result.std[0], 0);
  EXPECT_TRUE(std::isnan(result.y[0]) && std::isnan(result.y[1]) && std::isnan(result.y[2]));
  EXPECT_EQ(result.y[3], -1);
  EXPECT_THAT(normalize(target, Values(40000), 1).y, Each(IsNan()));
  EXPECT_THAT(normalize(target, {5}, 1).y, Each(IsNan()));
}

TEST_P(Normalize, ANumberThatIsNotFiniteSpoilsItsGroupAlone) {
  for (const double bad : {kNaN, kInfinity, -kInfinity})
    for (const std::size_t place : {0u, 1u}) {
      Values x{1, 2, 3, 1, 2, 3};
      x[place] = bad;
      const Normalized result = normalize(target, x, 2);
      EXPECT_TRUE(std::isnan(result.y[place])) << bad;
      EXPECT_TRUE(std::isnan(result.std[0])) << bad;
      EXPECT_EQ(result.y[5], 1) << bad;
    }
}

TEST_P(Normalize, GradientsOfEverySizeMatchTheReference) {
  for (const auto& [size, count] : shapes_for(target)) {
    const Values grad_y = rounded(target.y, random_values(size, -1, 1, 3));
    const Values std =
        rounded(target.compute(), random_values(static_cast<std::size_t>(count), 0.5, 2, 4));
    EXPECT_EQ(gradient(normalize_backward, target, grad_y, std),
              rounded(target.x, gradient(normalize_backward, plain, grad_y, std)));
    EXPECT_EQ(gradient(restore_backward, target, grad_y, std),
              rounded(target.x, gradient(restore_backward, plain, grad_y, std)));
  }
}

TEST_P(Normalize, RepeatedRunsHaveTheSameBits) {
  const Values x = random_values(100003, -2, 2, 5);
  const Normalized first = normalize(target, x, 1);
  for (int i = 0; i < 5; ++i) {
    const Normalized again = normalize(target, x, 1);
    EXPECT_EQ(again.y, first.y);
    EXPECT_EQ(again.std, first.std);
  }
}

TEST_P(Normalize, EmptyArraysAreAccepted) {
  EXPECT_TRUE(normalize(target, {}, 1).y.empty());
  EXPECT_TRUE(restore(target, {}, {0}, {1}).empty());
  EXPECT_TRUE(gradient(normalize_backward, target, {}, {1}).empty());
  EXPECT_TRUE(gradient(restore_backward, target, {}, {1}).empty());
}

TEST(NormalizeThreads, OneAndTwoThreadsGiveTheSameBits) {
  const int before = omp_get_max_threads();
  const Target cpu{Backend::cpu, ScalarType::float32, ScalarType::float32};
  const Values x = random_values(120000, -2, 2, 6);
  for (const std::int64_t count : {1, 40}) {
    omp_set_num_threads(1);
    const Normalized one = normalize(cpu, x, count);
    omp_set_num_threads(2);
    const Normalized two = normalize(cpu, x, count);
    EXPECT_EQ(one.y, two.y);
    EXPECT_EQ(one.std, two.std);
  }
  omp_set_num_threads(before);
}

TEST(NormalizeArguments, WrongOnesAreNamed) {
  float numbers[10] = {};
  const auto message = [&](const NormalizeForward& args) -> std::string {
    try {
      normalize_forward(Backend::cpu, args);
    } catch (const core::Error& error) {
      return error.what();
    }
    return "no error";
  };
  NormalizeForward args{.x = {numbers},
                        .y = {numbers + 4},
                        .size = 4,
                        .groups = {4, 1},
                        .mean = numbers + 8,
                        .std = numbers + 9};
  EXPECT_EQ(message(args), "no error");
  args.groups = {1, 2};
  EXPECT_THAT(message(args), testing::HasSubstr("are not stretches of 4"));
  args.groups = {3, 1};
  EXPECT_THAT(message(args), testing::HasSubstr("do not divide"));
  args.groups = {4, 1};
  args.std = nullptr;
  EXPECT_EQ(message(args), "normalize_forward: std is null");
}

}  // namespace
}  // namespace lowbit::kernels
