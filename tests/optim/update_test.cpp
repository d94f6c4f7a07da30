#include "lowbit/optim/update.h"

#include <gtest/gtest.h>

#include <limits>

#include "lowbit/core/error.h"
#include "lowbit/optim/gradient_norm.h"
#include "lowbit/optim/sgd.h"

namespace lowbit::optim {
namespace {

// One weight that starts at 0, rate 1, plain gradient descent: it ends at minus the gradients.
class UpdateTest : public testing::Test {
 protected:
  UpdateTest() {
    options_.lr = 1;
    options_.lr_policy = config::LrPolicy::fix;
    options_.momentum = 0;
    options_.epochs = 100;
  }

  struct Run {
    Run(const config::TrainOptions& options, int64_t batches, bool scaled)
        : weight(torch::zeros({1}).requires_grad_()),
          optimizer({{0, {"w"}, {weight}}}, options),
          scaler(scaled, torch::kCPU),
          update(optimizer, scaler, options, batches) {}

    float after(int epoch, int64_t batch, float gradient) {
      update.begin(epoch, batch);
      const float factor = scaler.enabled() ? scaler.factor().item<float>() : 1;
      update.apply({torch::full({1}, gradient * factor)}, torch::zeros({1}));
      return weight.item<float>();
    }

    torch::Tensor weight;
    Sgd optimizer;
    LossScaler scaler;
    Update update;
  };
  Run run(int64_t batches, bool scaled = false) const { return {options_, batches, scaled}; }

  config::TrainOptions options_;
};

TEST_F(UpdateTest, SumsTheGradientsOfIterSizeBatchesForEachStep) {
  options_.iter_size = 2;
  Run steps = run(4);
  EXPECT_EQ(steps.after(0, 0, 1), 0);
  EXPECT_EQ(steps.after(0, 1, 2), -3);
  EXPECT_EQ(steps.after(0, 2, 5), -3);
  EXPECT_EQ(steps.after(0, 3, 7), -15);
}

TEST_F(UpdateTest, LeavesOutBatchesThatAnEpochHasLeftOver) {
  options_.iter_size = 2;
  Run steps = run(3);
  EXPECT_EQ(steps.after(0, 0, 1), 0);
  EXPECT_EQ(steps.after(0, 1, 1), -2);
  EXPECT_EQ(steps.after(0, 2, 9), -2);
  EXPECT_FALSE(steps.update.open_sum().defined());
  EXPECT_EQ(steps.after(1, 0, 1), -2);
  EXPECT_EQ(steps.after(1, 1, 1), -4);
}

TEST_F(UpdateTest, GoesOnFromASumInTheMidstOfItsBatches) {
  options_.iter_size = 3;
  Run first = run(3), second = run(3);
  first.after(0, 0, 1);
  first.after(0, 1, 2);
  second.update.restore_sum(first.update.open_sum().clone(), {});
  EXPECT_EQ(second.after(0, 2, 4), -7);
  EXPECT_THROW(second.update.restore_sum(torch::zeros({2}), {}), core::Error);
}

TEST_F(UpdateTest, RefusesMoreBatchesThanAnEpochHas) {
  options_.iter_size = 4;
  EXPECT_THROW(run(3), core::Error);
}

TEST_F(UpdateTest, TakesNoStepInTheWarmUp) {
  options_.warmup = 3;
  Run steps = run(2);
  EXPECT_EQ(steps.after(0, 0, 1), 0);
  EXPECT_EQ(steps.after(0, 1, 1), 0);
  EXPECT_EQ(steps.after(1, 0, 1), 0);
  EXPECT_EQ(steps.after(1, 1, 1), -1);
}

TEST_F(UpdateTest, RaisesTheRateInTheWakeUp) {
  options_.wakeup_epoch = 2;
  Run steps = run(2);
  EXPECT_EQ(steps.after(0, 0, 1), 0);
  EXPECT_EQ(steps.after(0, 1, 1), -0.25);
  EXPECT_EQ(steps.after(1, 0, 1), -0.75);
  EXPECT_EQ(steps.after(1, 1, 1), -1.5);
  EXPECT_EQ(steps.after(2, 0, 1), -2.5);
}

TEST_F(UpdateTest, GivesEveryGroupTheRateOfItsSource) {
  options_.lr_policy = config::LrPolicy::decay;
  options_.lr_decay = 0.5;
  options_.custom_lr = 0.25;
  options_.wakeup = 8;
  const auto tensor = [] { return torch::zeros({1}).requires_grad_(); };
  Sgd optimizer({{0, {"a"}, {tensor()}, RateSource::schedule},
                 {0, {"b"}, {tensor()}, RateSource::custom_schedule},
                 {0, {"c"}, {tensor()}, RateSource::constant}},
                options_);
  LossScaler scaler(false, torch::kCPU);
  Update update(optimizer, scaler, options_, 4);
  update.begin(1, 0);  // half of the wake-up, one decay
  EXPECT_EQ(optimizer.learning_rate(0), 0.25);
  EXPECT_EQ(optimizer.learning_rate(1), 0.0625);
  EXPECT_EQ(optimizer.learning_rate(2), 0.25);
}

TEST_F(UpdateTest, FollowsAPolicyThatGoesByIterations) {
  options_.lr_policy = config::LrPolicy::sgdr;
  options_.lr_custom_step = {};
  options_.epochs = 1;
  Run steps = run(2);
  EXPECT_FLOAT_EQ(steps.after(0, 0, 1), -1);
  EXPECT_FLOAT_EQ(steps.after(0, 1, 1), -1.5);
}

TEST_F(UpdateTest, ClipsTheSumOfTheGradients) {
  options_.iter_size = 2;
  options_.grad_clip = 2;
  Run steps = run(2);
  steps.after(0, 0, 3);
  EXPECT_NEAR(steps.after(0, 1, 5), -2, 1e-5);
}

TEST_F(UpdateTest, LeavesOutAWholeSumForOneGradientThatIsNotFinite) {
  options_.iter_size = 2;
  Run steps = run(4, /*scaled=*/true);
  const float factor = steps.scaler.factor().item<float>();
  steps.after(0, 0, std::numeric_limits<float>::infinity());
  EXPECT_EQ(steps.scaler.factor().item<float>(), factor);
  EXPECT_EQ(steps.after(0, 1, 1), 0);
  EXPECT_EQ(steps.scaler.factor().item<float>(), factor / 2);
  steps.after(0, 2, 1);
  EXPECT_EQ(steps.scaler.growth_tracker().item<int>(), 0);
  EXPECT_EQ(steps.after(0, 3, 2), -3);
  EXPECT_EQ(steps.scaler.growth_tracker().item<int>(), 1);
}

TEST(GradientNorm, IsBoundedOverAllGradientsTogether) {
  const auto clipped = clip_norm({torch::full({1}, 3.0f), {}, torch::full({1, 1}, 4.0f)}, 1);
  EXPECT_NEAR(clipped[0].item<float>(), 0.6, 1e-6);
  EXPECT_FALSE(clipped[1].defined());
  EXPECT_NEAR(clipped[2].item<float>(), 0.8, 1e-6);
}

TEST(GradientNorm, BelowTheBoundNothingChanges) {
  const auto gradient = torch::tensor({3.0f, 4.0f});
  EXPECT_TRUE(torch::equal(clip_norm({gradient}, 6)[0], gradient));
}

}  // namespace
}  // namespace lowbit::optim
