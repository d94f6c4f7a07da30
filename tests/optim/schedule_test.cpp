#include "lowbit/optim/schedule.h"

#include <gtest/gtest.h>

#include <vector>

namespace lowbit::optim {
namespace {

using config::LrPolicy;

config::TrainOptions options(LrPolicy policy, std::vector<int> steps = {2, 4}) {
  config::TrainOptions result;
  result.epochs = 6;
  result.lr = 0.8;
  result.lr_policy = policy;
  result.lr_decay = 0.5;
  result.lr_custom_step = std::move(steps);
  result.lr_fix_step = 4;
  result.eta_min = 0.2;
  return result;
}

std::vector<double> rates(const config::TrainOptions& o) {
  std::vector<double> result;
  for (int epoch = 0; epoch < o.epochs; ++epoch) result.push_back(learning_rate(o, epoch));
  return result;
}

void expect_rates(LrPolicy policy, const std::vector<double>& expected,
                  std::vector<int> steps = {2, 4}) {
  const std::vector<double> actual = rates(options(policy, std::move(steps)));
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i)
    EXPECT_NEAR(actual[i], expected[i], 1e-12) << "epoch " << i;
}

TEST(LearningRate, FixNeverChanges) {
  expect_rates(LrPolicy::fix, {.8, .8, .8, .8, .8, .8});
}

TEST(LearningRate, DecayFallsEveryEpoch) {
  expect_rates(LrPolicy::decay, {.8, .4, .2, .1, .05, .025});
}

TEST(LearningRate, FixStepFallsAtMultiples) {
  expect_rates(LrPolicy::fix_step, {.8, .8, .8, .8, .4, .4});
}

TEST(LearningRate, CustomStepFallsInTheEpochThatIsNamed) {
  expect_rates(LrPolicy::custom_step, {.8, .8, .4, .4, .2, .2});
}

TEST(LearningRate, PolyRunsToEtaMinWithinEachInterval) {
  const double middle = .2 + .6 * 0.70710678118654752;
  expect_rates(LrPolicy::poly, {.8, middle, .8, middle, .8, middle});
}

TEST(LearningRate, CosRestartsAtEachEntry) {
  expect_rates(LrPolicy::cos, {.8, .5, .8, .5, .8, .5});
}

TEST(LearningRate, CosWithoutEntriesInTheRunIsOneHalfWave) {
  expect_rates(LrPolicy::cos,
               {.8, .5 + .3 * 0.86602540378443865, .65, .5, .35, .5 - .3 * 0.86602540378443865},
               {6, 9});
}

// Half-way through an epoch of two: an eighth and three eighths of a full wave.
constexpr double kEighth = 0.70710678118654752;

TEST(LearningRate, SgdrFallsWithTheIterationsAndRestartsAtEachEntry) {
  const config::TrainOptions o = options(LrPolicy::sgdr);
  EXPECT_NEAR(learning_rate(o, .8, 0, 0), .8, 1e-12);
  EXPECT_NEAR(learning_rate(o, .8, 0, .5), .2 + .3 * (1 + kEighth), 1e-12);
  EXPECT_NEAR(learning_rate(o, .8, 1, 0), .5, 1e-12);
  EXPECT_NEAR(learning_rate(o, .8, 1, .5), .2 + .3 * (1 - kEighth), 1e-12);
  EXPECT_NEAR(learning_rate(o, .8, 2, 0), .8, 1e-12);
}

TEST(LearningRate, SgdrStepStartsEachWaveAtTheRateOfCustomStep) {
  const config::TrainOptions o = options(LrPolicy::sgdr_step);
  EXPECT_NEAR(learning_rate(o, .8, 0, .5), .2 + .3 * (1 + kEighth), 1e-12);
  EXPECT_NEAR(learning_rate(o, .8, 2, 0), .4, 1e-12);
  EXPECT_NEAR(learning_rate(o, .8, 2, .5), .2 + .1 * (1 + kEighth), 1e-12);
  EXPECT_NEAR(learning_rate(o, .8, 5, .5), .2, 1e-12);  // from .2 to .2
}

TEST(LearningRate, OfOtherPoliciesStaysWithinAnEpoch) {
  for (const LrPolicy policy : {LrPolicy::decay, LrPolicy::poly, LrPolicy::cos}) {
    const config::TrainOptions o = options(policy);
    EXPECT_EQ(learning_rate(o, .8, 1, .5), learning_rate(o, .8, 1, 0));
  }
}

TEST(LearningRate, StaysInExtraEpochsAsItWasInTheLast) {
  for (const auto& [policy, last] : {std::pair(LrPolicy::decay, .025),
                                     {LrPolicy::custom_step, .2},
                                     {LrPolicy::cos, .5},
                                     {LrPolicy::sgdr, .2}}) {
    config::TrainOptions o = options(policy);
    o.extra_epoch = 2;
    EXPECT_EQ(total_epochs(o), 8);
    EXPECT_NEAR(learning_rate(o, 6), last, 1e-12);
    EXPECT_NEAR(learning_rate(o, .8, 7, .5), last, 1e-12);
  }
}

TEST(LearningRate, OfParametersWithAStartOfTheirOwnFollowsTheSamePolicy) {
  EXPECT_NEAR(learning_rate(options(LrPolicy::decay), .08, 2), .02, 1e-12);
  EXPECT_NEAR(learning_rate(options(LrPolicy::cos), .4, 1), .3, 1e-12);
}

TEST(Phases, AreGivenInIterationsOrElseInEpochs) {
  config::TrainOptions o;
  o.warmup_epoch = 2;
  o.wakeup_epoch = 3;
  EXPECT_EQ(phases(o, 5).warmup, 10);
  EXPECT_EQ(phases(o, 5).wakeup, 15);
  o.warmup = 7;
  o.wakeup = 4;
  EXPECT_EQ(phases(o, 5).warmup, 7);
  EXPECT_EQ(phases(o, 5).wakeup, 4);
}

TEST(Phases, RaiseTheRateFromZeroInAStraightLine) {
  std::vector<double> factors;
  for (int iteration = 0; iteration < 6; ++iteration)
    factors.push_back(wakeup_factor({.warmup = 0, .wakeup = 4}, iteration));
  EXPECT_EQ(factors, (std::vector<double>{0, .25, .5, .75, 1, 1}));
  EXPECT_EQ(wakeup_factor({}, 0), 1);
}

TEST(StableEpochs, BecomeIterationsWhereATagHasNoneOfItsOwn) {
  config::ModelOptions model;
  model.fm.stable = config::kStableOfEpochs;
  model.wt.stable = 0;
  model.ot.stable = 4;
  settle_stable(model, 2, 5);
  EXPECT_EQ(model.fm.stable, 10);
  EXPECT_EQ(model.wt.stable, 0);
  EXPECT_EQ(model.ot.stable, 4);
}

std::vector<double> shares(const config::TrainOptions& o, int proxquant_step) {
  std::vector<double> result;
  for (int epoch = 0; epoch < o.epochs; ++epoch)
    result.push_back(proxquant(o, proxquant_step, epoch));
  return result;
}

TEST(Proxquant, FallsWithTheEpochsToZeroAndStaysThere) {
  EXPECT_EQ(shares(options(LrPolicy::cos), 4), (std::vector<double>{1, .75, .5, .25, 0, 0}));
  EXPECT_EQ(shares(options(LrPolicy::fix), 1), (std::vector<double>{1, 0, 0, 0, 0, 0}));
}

TEST(Proxquant, FallsWithTheStepsOfTheRateWhereThoseAreFewerThanTen) {
  EXPECT_EQ(shares(options(LrPolicy::custom_step), 4),
            (std::vector<double>{.75, .75, .5, .5, .25, .25}));
  EXPECT_EQ(shares(options(LrPolicy::custom_step), 2), (std::vector<double>{.5, .5, 0, 0, 0, 0}));
  EXPECT_EQ(shares(options(LrPolicy::fix_step), 2), (std::vector<double>{.5, .5, .5, .5, 0, 0}));
  EXPECT_EQ(shares(options(LrPolicy::sgdr), 4), (std::vector<double>{.75, .75, .5, .5, .25, .25}));
  EXPECT_EQ(shares(options(LrPolicy::sgdr_step), 2), (std::vector<double>{.5, .5, 0, 0, 0, 0}));
  EXPECT_EQ(shares(options(LrPolicy::custom_step), 10),
            (std::vector<double>{1, .9, .8, .7, .6, .5}));
}

TEST(KeepsCopy, AtTheLastEpochAndAtStepsOfTheRate) {
  const auto kept = [](config::TrainOptions o) {
    std::vector<int> epochs;
    for (int epoch = 0; epoch < total_epochs(o); ++epoch)
      if (keeps_copy(o, epoch)) epochs.push_back(epoch);
    return epochs;
  };
  EXPECT_EQ(kept(options(LrPolicy::fix)), (std::vector<int>{5}));
  EXPECT_EQ(kept(options(LrPolicy::custom_step)), (std::vector<int>{1, 3, 5}));
  EXPECT_EQ(kept(options(LrPolicy::fix_step)), (std::vector<int>{3, 5}));
  EXPECT_EQ(kept(options(LrPolicy::sgdr)), (std::vector<int>{1, 3, 5}));
  EXPECT_EQ(kept(options(LrPolicy::sgdr_step)), (std::vector<int>{5}));
  auto stable = options(LrPolicy::fix);
  stable.stable_epoch = 2;
  EXPECT_EQ(kept(stable), (std::vector<int>{1, 5}));
  stable.extra_epoch = 3;
  EXPECT_EQ(kept(stable), (std::vector<int>{1, 4, 5, 8}));
  auto every_third = options(LrPolicy::fix);
  every_third.save_freq = 3;  // (N + 1) mod 3 = 2
  EXPECT_EQ(kept(every_third), (std::vector<int>{1, 4, 5}));
}

}  // namespace
}  // namespace lowbit::optim
