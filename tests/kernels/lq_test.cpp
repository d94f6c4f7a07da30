#include "lowbit/kernels/lq.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "lowbit/core/error.h"
#include "lowbit/kernels/math/lq.h"
#include "target_test.h"

namespace lowbit::kernels {
namespace {

using testing::DoubleNear;
using testing::Each;
using testing::ElementsAreArray;
using testing::Pointwise;

struct Problem {
  std::vector<double> x;
  std::vector<double> basis = {1, 2};  // [bits, groups]
  int bits = 2;
  int level_count = 1 << bits;
  bool full_range = false;
  bool weights = false;
  double iteration = 0;  // 0: the moving average
  Groups groups = {static_cast<std::int64_t>(x.size()), 1};
  std::vector<double> auxil = std::vector<double>(basis.size(), 99);
  std::vector<double> multiplier{};  // empty: thresholds in the middle between levels
  bool learns = true;
};

struct Result {
  std::vector<double> y, basis, auxil, levels, thresholds;
  std::vector<std::int32_t> codes;
  bool unsolved;
};

std::vector<double> codec(const Problem& problem) {
  std::vector<double> vectors;
  for (int code = 0; code < problem.level_count; ++code)
    for (int i = 0; i < problem.bits; ++i)
      vectors.push_back((code >> i) % 2 == 1 ? 1 : problem.full_range ? -1 : 0);
  return vectors;
}

std::vector<double> multiplier(const Problem& problem) {
  if (!problem.multiplier.empty()) return problem.multiplier;
  const int count = problem.level_count;
  std::vector<double> rows(count * (count - 1));
  for (int i = 0; i < count - 1; ++i) rows[i * count + i] = rows[i * count + i + 1] = 0.5;
  return rows;
}

// A workspace of any number of bits, zeroed when it was made and used by every test after another.
void* lq_workspace(Backend backend) {
  if (backend != Backend::cuda) return nullptr;
  static const Array memory(backend, ScalarType::float32,
                            std::vector<double>(lq_workspace_bytes(kLqMaxBits) / 4));
  return memory.data();
}

// sums: takes what the pass gathers instead of learning; null: it learns.
Result forward(const Target& target, const Problem& problem, std::vector<double>* sums = nullptr) {
  const auto array = [&](const std::vector<double>& values) {
    return std::make_unique<Array>(target.backend, target.compute(), values);
  };
  const auto groups = static_cast<std::size_t>(problem.groups.count);
  const auto count = static_cast<std::size_t>(problem.level_count);
  std::vector<std::int32_t> indices(count);
  std::iota(indices.begin(), indices.end(), 0);
  const auto basis = array(problem.basis), auxil = array(problem.auxil),
             vectors = array(codec(problem)), rows = array(multiplier(problem)),
             levels = array(std::vector<double>(groups * count)),
             thresholds = array(std::vector<double>(groups * (count - 1))),
             iteration = array({problem.iteration});
  const Integers index(target.backend, indices);
  const Integers codes(target.backend, std::vector<std::int32_t>(groups * count));
  const Array unsolved(target.backend, ScalarType::float32, {0});
  const LqTables tables{levels->data(), thresholds->data(), codes.data()};
  lq_build_tables(target.backend, {.basis = basis->data(),
                                   .codec_vector = vectors->data(),
                                   .codec_index = index.data(),
                                   .thrs_multiplier = rows->data(),
                                   .type = target.compute(),
                                   .bits = problem.bits,
                                   .level_count = problem.level_count,
                                   .groups = problem.groups.count,
                                   .tables = tables});
  const Array x(target.backend, target.x, problem.x);
  const Array y(target.backend, target.y, std::vector<double>(problem.x.size(), 99));
  LqForward args{.x = x.input(),
                 .y = y.output(),
                 .size = static_cast<std::int64_t>(problem.x.size()),
                 .groups = problem.groups,
                 .level_count = problem.level_count,
                 .tables = tables,
                 .learning = {}};
  if (problem.learns)
    args.learning = {.bits = problem.bits,
                     .full_range = problem.full_range,
                     .weights = problem.weights,
                     .basis = basis->data(),
                     .auxil = auxil->data(),
                     .iteration = problem.iteration > 0 ? iteration->data() : nullptr,
                     .unsolved = static_cast<float*>(unsolved.data()),
                     .workspace = lq_workspace(target.backend)};
  const Array gathered(target.backend, ScalarType::float64,
                       std::vector<double>(groups * lq_sum_numbers(problem.bits), 99));
  if (sums) args.learning.sums = static_cast<double*>(gathered.data());
  lq_forward(target.backend, args);
  if (sums) *sums = gathered.values();
  return {y.values(),           basis->values(), auxil->values(),          levels->values(),
          thresholds->values(), codes.values(),  unsolved.values()[0] != 0};
}

// basis and auxil learned from sums.
Result learn(const Target& target, const Problem& problem, const std::vector<double>& sums) {
  const Array basis(target.backend, target.compute(), problem.basis),
      auxil(target.backend, target.compute(), problem.auxil),
      iteration(target.backend, target.compute(), {problem.iteration}),
      unsolved(target.backend, ScalarType::float32, {0}),
      all(target.backend, ScalarType::float64, sums);
  lq_learn(target.backend,
           {.type = target.compute(),
            .groups = problem.groups.count,
            .learning = {.bits = problem.bits,
                         .full_range = problem.full_range,
                         .weights = problem.weights,
                         .basis = basis.data(),
                         .auxil = auxil.data(),
                         .iteration = problem.iteration > 0 ? iteration.data() : nullptr,
                         .unsolved = static_cast<float*>(unsolved.data()),
                         .sums = static_cast<double*>(all.data())}});
  Result result{};
  result.basis = basis.values();
  result.auxil = auxil.values();
  result.unsolved = unsolved.values()[0] != 0;
  return result;
}

class Lq : public TargetTest {
 protected:
  Result forward(const Problem& problem) const { return kernels::forward(GetParam(), problem); }
  // Numbers that took a few roundings in the compute type.
  auto are_near(const std::vector<double>& expected) const {
    return Pointwise(DoubleNear(16 * rounding(GetParam().compute())), expected);
  }
};

LOWBIT_ON_ALL_TARGETS(Lq);

TEST_P(Lq, AValueMovesUpOnlyAboveItsThreshold) {
  const Result result = forward({.x = {-7, 0.5, 0.5625, 1.5, 1.5625, 2.5, 2.5625, 100}});
  EXPECT_THAT(result.levels, ElementsAreArray({0., 1., 2., 3.}));
  EXPECT_THAT(result.thresholds, ElementsAreArray({0.5, 1.5, 2.5}));
  EXPECT_THAT(result.y, ElementsAreArray({0., 0., 1., 1., 2., 2., 3., 3.}));
}

TEST_P(Lq, LevelsAreSortedWithTheirCodes) {
  const Result result = forward({.x = {0, 1, 2, 3}, .basis = {2, 1}});
  EXPECT_THAT(result.levels, ElementsAreArray({0., 1., 2., 3.}));
  EXPECT_THAT(result.codes, ElementsAreArray({0, 2, 1, 3}));
  EXPECT_THAT(result.y, ElementsAreArray({0., 1., 2., 3.}));
  // What it chose are the levels themselves: the basis solves the system and stays.
  EXPECT_THAT(result.auxil, are_near({2, 1}));
  EXPECT_THAT(result.basis, are_near({2, 1}));
}

TEST_P(Lq, EqualLevelsStandInTheOrderOfTheirCodes) {
  EXPECT_THAT(forward({.x = {0}, .basis = {1, 1}}).codes, ElementsAreArray({0, 1, 2, 3}));
  EXPECT_THAT(forward({.x = {0}, .basis = {-1, 1}}).codes, ElementsAreArray({1, 0, 3, 2}));
}

TEST_P(Lq, FullRangeHasDigitsOfBothSigns) {
  const Result result = forward({.x = {-9, -0.5, 0.5, 9}, .basis = {-1, 2}, .full_range = true});
  EXPECT_THAT(result.levels, ElementsAreArray({-3., -1., 1., 3.}));
  EXPECT_THAT(result.codes, ElementsAreArray({1, 0, 3, 2}));
  EXPECT_THAT(result.y, ElementsAreArray({-3., -1., 1., 3.}));
}

TEST_P(Lq, TheLastThresholdBelowDecidesWhereTheyAreOutOfOrder) {
  const Problem problem{.x = {0.5, 0.75, 2.75, 3, 1},
                        .multiplier = {0, 2.5, 0, 0, 0, 0.5, 0, 0, 0, 2.75, 0, 0}};
  EXPECT_THAT(forward(problem).y, ElementsAreArray({0., 2., 2., 3., 2.}));
}

TEST_P(Lq, ThreeLevelsOfOneBitAreTwo) {
  const Result result =
      forward({.x = {-5, 0, 0.5}, .basis = {2}, .bits = 1, .level_count = 3, .full_range = true});
  EXPECT_THAT(result.levels, ElementsAreArray({-2., -2., 2.}));
  EXPECT_THAT(result.codes, ElementsAreArray({0, 2, 1}));
  EXPECT_THAT(result.y, ElementsAreArray({-2., -2., 2.}));
  EXPECT_THAT(result.auxil, are_near({5.5 / 3}));
}

// Codes 0, 1, 2, 3: B^T B = (2 1; 1 2), B^T x = (1 + 3.5, 2 + 3.5).
TEST_P(Lq, FeaturesLearnTheHandComputedSolution) {
  const Result result = forward({.x = {0, 1, 2, 3.5}});
  EXPECT_THAT(result.y, ElementsAreArray({0., 1., 2., 3.}));
  EXPECT_THAT(result.auxil, are_near({3.5 / 3, 6.5 / 3}));
  EXPECT_THAT(result.basis, are_near({0.9 + 0.35 / 3, 1.8 + 0.65 / 3}));
  EXPECT_FALSE(result.unsolved);
}

// Digits (-1 -1), (1 -1), (-1 1), (1 1), (1 1): B^T B = (5 1; 1 5), B^T x = (8, 12).
TEST_P(Lq, FullRangeLearnsTheHandComputedSolution) {
  const Result result = forward({.x = {-3, -1, 1, 3, 4}, .full_range = true});
  EXPECT_THAT(result.auxil, are_near({(5 * 8 - 12) / 24.0, (5 * 12 - 8) / 24.0}));
}

TEST_P(Lq, WeightsLearnTheRegularizedSolution) {
  const Result result =
      forward({.x = {2, -1, 0.5}, .basis = {1}, .bits = 1, .full_range = true, .weights = true});
  EXPECT_THAT(result.y, ElementsAreArray({1., -1., 1.}));
  const float diagonal = (3.0F + 1e-4F) * 1.000001F;
  EXPECT_THAT(result.auxil, are_near({(3.5 + 1e-4) / static_cast<double>(diagonal)}));
}

TEST_P(Lq, TheRunningMeanWeighsEveryIterationAlike) {
  const Result result = forward({.x = {0, 1, 2, 3.5}, .iteration = 4});
  EXPECT_THAT(result.basis, are_near({(3 + 3.5 / 3) / 4, (6 + 6.5 / 3) / 4}));
}

TEST_P(Lq, EvaluationLeavesTheBasis) {
  const Result result = forward({.x = {0, 1, 2, 3.5}, .learns = false});
  EXPECT_THAT(result.y, ElementsAreArray({0., 1., 2., 3.}));
  EXPECT_THAT(result.basis, ElementsAreArray({1., 2.}));
  EXPECT_THAT(result.auxil, Each(99.));
}

TEST_P(Lq, FeaturesThatAreAllZeroSolveToZero) {
  const Result result = forward({.x = {0, 0, -1, 0}});
  EXPECT_THAT(result.auxil, ElementsAreArray({0., 0.}));
  EXPECT_THAT(result.basis, are_near({0.9, 1.8}));
  EXPECT_FALSE(result.unsolved);
}

TEST_P(Lq, AConstantGroupKeepsItsBasisAndTheOthersLearn) {
  const Result result =
      forward({.x = {3, 3, 3, 3, 0, 1, 2, 3.5}, .basis = {1, 1, 2, 2}, .groups = {4, 2}});
  EXPECT_TRUE(result.unsolved);
  EXPECT_THAT(result.auxil, are_near({99, 3.5 / 3, 99, 6.5 / 3}));
  EXPECT_THAT(result.basis, are_near({1, 0.9 + 0.35 / 3, 2, 1.8 + 0.65 / 3}));
}

// Codes 1, 1, 7, 6: the two higher digits always agree, and the elimination of (3 1 1; 1 2 2; 1 2
// 2) meets thirds.
TEST_P(Lq, RoundingDoesNotHideASingularSystem) {
  const Result result = forward({.x = {1, 1, 7, 6}, .basis = {1, 2, 4}, .bits = 3});
  EXPECT_TRUE(result.unsolved);
  EXPECT_THAT(result.basis, ElementsAreArray({1., 2., 4.}));
}

TEST_P(Lq, WeightsOnOneLevelAreSolvedByTheRegularization) {
  const Result result =
      forward({.x = std::vector<double>(144, 3), .full_range = true, .weights = true});
  EXPECT_FALSE(result.unsolved);
  EXPECT_NEAR(result.auxil[0] + result.auxil[1], 3, 1e-4);
}

TEST_P(Lq, NotANumberStaysVisibleAndOutOfTheBasis) {
  for (const bool full_range : {false, true}) {
    const Result result = forward({.x = {0, 1, kNaN, 2, 3.5}, .full_range = full_range});
    for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(std::isnan(result.y[i]), i == 2);
    EXPECT_THAT(result.basis, ElementsAreArray({1., 2.}));
    EXPECT_TRUE(result.unsolved);
  }
}

TEST_P(Lq, InfinitiesTakeTheOutermostLevelsAndStayOutOfTheBasis) {
  const Result result = forward({.x = {kInfinity, 0, 1, 2, -kInfinity}});
  EXPECT_THAT(result.y, ElementsAreArray({3., 0., 1., 2., 0.}));
  EXPECT_THAT(result.basis, ElementsAreArray({1., 2.}));
  EXPECT_TRUE(result.unsolved);
}

TEST_P(Lq, ABasisThatIsNotANumberGivesNoOtherNumbers) {
  for (const double value : {kNaN, kInfinity}) {
    const Result result = forward({.x = {-1, 1}, .basis = {value, 1}});
    for (const double y : result.y) EXPECT_FALSE(std::isfinite(y));
    EXPECT_THAT(result.codes, testing::UnorderedElementsAre(0, 1, 2, 3));
  }
}

std::vector<double> random_basis(int bits, std::int64_t groups) {
  std::vector<double> basis;
  for (int i = 0; i < bits; ++i)
    for (std::int64_t group = 0; group < groups; ++group)
      basis.push_back(std::ldexp(1 + 0.0625 * static_cast<double>(group % 8), i - bits));
  return basis;
}

TEST_P(Lq, EveryBitCountSizeAndGroupingMatchesTheReference) {
  struct Shape {
    std::int64_t size;
    Groups groups;
  };
  const Shape shapes[] = {{1, {1, 1}},           {33, {33, 1}},         {8193, {8193, 1}},
                          {100003, {100003, 1}}, {24 * 144, {144, 24}}, {3 * 16 * 25, {4 * 25, 4}},
                          {3 * 16 * 25, {4, 4}}, {60000, {2, 3}},       {65536, {8, 8}}};
  const double tolerance = target.compute() == ScalarType::float64 ? 1e-9 : 1e-5;
  unsigned seed = 0;
  for (const Shape& shape : shapes) {
    for (int bits = 1; bits <= 8; ++bits) {
      const bool full_range = seed % 2 == 1;
      const Problem problem{
          .x = rounded(target.x, random_values(shape.size, full_range ? -2 : -0.5, 2, ++seed)),
          .basis = random_basis(bits, shape.groups.count),
          .bits = bits,
          .full_range = full_range,
          .weights = seed % 3 == 0,
          .groups = shape.groups};
      const Result actual = forward(problem), expected = kernels::forward(plain, problem);
      ASSERT_EQ(actual.y, rounded(target.y, expected.y)) << shape.size << ", bits " << bits;
      ASSERT_EQ(actual.unsolved, expected.unsolved) << shape.size << ", bits " << bits;
      // Of the sums, only the order differs.
      ASSERT_THAT(actual.basis, Pointwise(DoubleNear(tolerance), expected.basis))
          << shape.size << ", bits " << bits;
      ASSERT_EQ(actual.levels, expected.levels);
      ASSERT_EQ(actual.thresholds, expected.thresholds);
      ASSERT_EQ(actual.codes, expected.codes);
    }
  }
}

TEST_P(Lq, RepeatedCallsGiveTheSameBits) {
  const Problem problem{.x = random_values(300000, 0, 4, 7)};
  const Result first = forward(problem);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(forward(problem).basis, first.basis);
}

TEST_P(Lq, AnEmptyArrayLeavesTheBasis) {
  const Result result = forward({.x = {}, .groups = {0, 1}});
  EXPECT_TRUE(result.y.empty());
  EXPECT_THAT(result.basis, ElementsAreArray({1., 2.}));
}

TEST_P(Lq, TheGradientOfFeaturesStopsAtTheHighestLevelOfTheirGroup) {
  const Array x(target.backend, target.x, {2.984375, 3, 3.03125, -1, 3.96875, 4, 5, kNaN});
  const Array grad_y(target.backend, target.y, {1, 2, 3, 4, 5, 6, 7, 8});
  const Array grad_x(target.backend, target.x, std::vector<double>(8, 99));
  const Array levels(target.backend, target.compute(), {0, 3, 1, 4});
  lq_backward(target.backend, {.x = x.input(),
                               .grad_y = grad_y.input(),
                               .grad_x = grad_x.output(),
                               .size = 8,
                               .groups = {4, 2},
                               .level_count = 2,
                               .levels = levels.data()});
  EXPECT_THAT(grad_x.values(), ElementsAreArray({1., 0., 0., 4., 5., 0., 0., 8.}));
}

TEST(LqThreads, OneAndTwoThreadsGiveTheSameBits) {
  const int before = omp_get_max_threads();
  const Target target{Backend::cpu, ScalarType::float32, ScalarType::float32};
  const Problem problem{
      .x = random_values(300000, 0, 4, 9), .basis = random_basis(2, 3), .groups = {100000, 3}};
  omp_set_num_threads(1);
  const Result one = forward(target, problem);
  omp_set_num_threads(2);
  const Result two = forward(target, problem);
  EXPECT_EQ(one.y, two.y);
  EXPECT_EQ(one.basis, two.basis);
  omp_set_num_threads(before);
}

std::string usage_error_of(const LqForward& args, Backend backend = Backend::cpu) {
  try {
    lq_forward(backend, args);
  } catch (const core::Error& error) {
    EXPECT_EQ(error.kind(), core::ErrorKind::usage);
    return error.what();
  }
  return "no error";
}

TEST_P(Lq, LearnsFromTheSumsOfPartsAsFromTheWhole) {
  for (const bool full_range : {false, true})
    for (const double iteration : {0., 3.}) {
      // Two groups; the first half of the elements is one part.
      Problem whole{.x = {0.5, 1.25, 2, 3.5, -1, 0.25, 2.75, 1, 4, 0, 1.5, 3, 2.25, -2, 0.75, 1.75},
                    .basis = {1, 0.5, 2, 1},
                    .full_range = full_range,
                    .iteration = iteration,
                    .groups = {2, 2}};
      Problem first = whole, second = whole;
      first.x.resize(8);
      second.x.erase(second.x.begin(), second.x.begin() + 8);
      std::vector<double> sums, others;
      const Result gathered = kernels::forward(GetParam(), first, &sums);
      EXPECT_EQ(gathered.basis, kernels::forward(GetParam(), first, &sums).basis);
      EXPECT_THAT(gathered.auxil, Each(99));  // nothing is learned yet
      kernels::forward(GetParam(), second, &others);
      for (size_t i = 0; i < sums.size(); ++i) sums[i] += others[i];
      const Result expected = forward(whole), learned = learn(GetParam(), whole, sums);
      EXPECT_THAT(learned.basis, are_near(expected.basis));
      EXPECT_THAT(learned.auxil, are_near(expected.auxil));
      EXPECT_FALSE(learned.unsolved);
      // Both digits are always 1: a singular system.
      EXPECT_TRUE(learn(GetParam(), whole, {5, 1, 1, 1, 5, 5, 5, 5, 1, 1, 1, 5, 5, 5}).unsolved);
    }
}

TEST(LqArguments, WrongOnesAreNamed) {
  float numbers[8] = {};
  std::int32_t codes[2] = {};
  const LqForward good{
      .x = {numbers},
      .y = {numbers + 3},
      .size = 3,
      .groups = {3, 1},
      .level_count = 2,
      .tables = {numbers, numbers, codes},
      .learning = {.basis = numbers + 6, .auxil = numbers + 7, .unsolved = numbers + 7}};
  EXPECT_EQ(usage_error_of(good), "no error");
  LqForward bad = good;
  bad.tables.thresholds = nullptr;
  EXPECT_EQ(usage_error_of(bad), "lq_forward: thresholds is null");
  bad = good;
  bad.learning.auxil = nullptr;
  EXPECT_EQ(usage_error_of(bad), "lq_forward: auxil is null");
  bad = good;
  bad.learning.bits = 9;
  EXPECT_EQ(usage_error_of(bad), "lq_forward: 9 bits, not 1 to 8");
  bad = good;
  bad.level_count = 257;
  EXPECT_EQ(usage_error_of(bad), "lq_forward: 257 levels, not 2 to 256");
  bad = good;
  bad.groups = {1, 2};
  EXPECT_THAT(usage_error_of(bad), testing::HasSubstr("3 elements do not divide into 2 groups"));
  bad = good;
  bad.y.type = ScalarType::float16;
  EXPECT_EQ(usage_error_of(bad), "lq_forward: no CPU kernel takes float32 with float16");
#ifdef LOWBIT_CUDA
  EXPECT_EQ(usage_error_of(good, Backend::cuda), "lq_forward: workspace is null");
#endif
}

}  // namespace
}  // namespace lowbit::kernels
