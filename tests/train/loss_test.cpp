#include "lowbit/train/loss.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <cmath>

namespace lowbit::train {
namespace {

// Two samples of three classes, in float64.
const torch::Tensor kLogits = torch::tensor({{1.0, 2.0, -0.5}, {0.0, -1.0, 3.0}}, torch::kFloat64);
const torch::Tensor kTeacher = torch::tensor({{2.0, 0.5, 0.0}, {1.0, 1.0, -2.0}}, torch::kFloat64);
const torch::Tensor kTargets = torch::tensor({0, 2});

// Softmax of a row over a temperature, written out.
std::vector<double> softmax(const torch::Tensor& logits, int row, double temperature = 1) {
  std::vector<double> p;
  double sum = 0;
  for (int j = 0; j < 3; ++j) {
    p.push_back(std::exp(logits[row][j].item<double>() / temperature));
    sum += p.back();
  }
  for (double& each : p) each /= sum;
  return p;
}

TEST(Loss, CrossEntropyIsTheMeanOverTheBatch) {
  const double expected =
      -(std::log(softmax(kLogits, 0)[0]) + std::log(softmax(kLogits, 1)[2])) / 2;
  EXPECT_NEAR(cross_entropy(kLogits, kTargets).item<double>(), expected, 1e-12);
}

TEST(Loss, LabelSmoothingSpreadsAShareOverAllClasses) {
  double expected = 0;
  for (int row = 0; row < 2; ++row)
    for (int j = 0; j < 3; ++j) {
      const double target = 0.7 * (kTargets[row].item<int64_t>() == j) + 0.3 / 3;
      expected -= target * std::log(softmax(kLogits, row)[j]) / 2;
    }
  EXPECT_NEAR(smooth_cross_entropy(kLogits, kTargets, 0.3).item<double>(), expected, 1e-12);
}

double focal_by_hand(double gamma, double alpha) {
  double expected = 0;
  for (int row = 0; row < 2; ++row)
    for (int j = 0; j < 3; ++j) {
      const bool yes = kTargets[row].item<int64_t>() == j;
      const double sigmoid = 1 / (1 + std::exp(-kLogits[row][j].item<double>()));
      const double p = yes ? sigmoid : 1 - sigmoid;
      const double weight = alpha < 0 ? 1 : yes ? alpha : 1 - alpha;
      expected -= weight * std::pow(1 - p, gamma) * std::log(p) / 2;
    }
  return expected;
}

TEST(Loss, FocalLossCountsEasyAnswersLess) {
  for (const auto& [gamma, alpha] : {std::pair(2.0, -1.0), {2.0, 0.25}, {0.5, 0.0}, {0.0, -1.0}})
    EXPECT_NEAR(focal_loss(kLogits, kTargets, gamma, alpha).item<double>(),
                focal_by_hand(gamma, alpha), 1e-12);
}

TEST(Loss, FocalLossHasAFiniteGradientWhereAnAnswerIsSure) {
  for (const double gamma : {0.0, 0.5, 2.0}) {
    torch::Tensor logits = torch::tensor({{200.0f, -200.0f}}).requires_grad_();
    for (const int64_t target : {0, 1}) {
      const torch::Tensor loss = focal_loss(logits, torch::tensor({target}), gamma, -1);
      const torch::Tensor gradient = torch::autograd::grad({loss}, {logits})[0];
      EXPECT_TRUE(torch::isfinite(gradient).all().item<bool>()) << gamma << " " << target;
    }
  }
}

TEST(Loss, SoftDistillationIsTheMeanDivergenceTimesTheSquareOfTheTemperature) {
  double expected = 0;
  for (int row = 0; row < 2; ++row) {
    const auto p = softmax(kLogits, row, 4), q = softmax(kTeacher, row, 4);
    for (size_t j = 0; j < 3; ++j) expected += 16 * q[j] * std::log(q[j] / p[j]) / 6;
  }
  EXPECT_NEAR(distillation_loss(config::DistillLoss::soft, kLogits, kTeacher, 4).item<double>(),
              expected, 1e-12);
}

TEST(Loss, SoftBDistillationIsTheCrossEntropyToTheTeacher) {
  double expected = 0;
  for (int row = 0; row < 2; ++row) {
    const auto p = softmax(kLogits, row, 4), q = softmax(kTeacher, row, 4);
    for (size_t j = 0; j < 3; ++j) expected -= q[j] * std::log(p[j]) / 2;
  }
  EXPECT_NEAR(distillation_loss(config::DistillLoss::soft_b, kLogits, kTeacher, 4).item<double>(),
              expected, 1e-12);
}

TEST(Loss, HardDistillationTakesTheTeachersBestClass) {
  const torch::Tensor teacher = torch::tensor({{0.0, 0.0, 1.0}, {0.0, 3.0, 1.0}}, torch::kFloat64);
  EXPECT_NEAR(distillation_loss(config::DistillLoss::hard, kLogits, teacher, 4).item<double>(),
              cross_entropy(kLogits, torch::tensor({2, 1})).item<double>(), 1e-12);
}

TEST(Loss, OfTrainingIsTheCriterionOfTheOptions) {
  config::TrainOptions options;
  const auto loss = [&] {
    return training_loss(options, kLogits, {kTargets, {}, {}}, {}).item<double>();
  };
  EXPECT_EQ(loss(), cross_entropy(kLogits, kTargets).item<double>());
  options.criterion = config::Criterion::label_smooth;
  options.label_smooth = 0.3;
  EXPECT_EQ(loss(), smooth_cross_entropy(kLogits, kTargets, 0.3).item<double>());
  options.criterion = config::Criterion::focal;
  options.focal_gamma = 1;
  options.focal_alpha = 0.25;
  EXPECT_EQ(loss(), focal_loss(kLogits, kTargets, 1, 0.25).item<double>());
}

TEST(Loss, OfTrainingMixesTheLabelsOfMixtures) {
  const torch::Tensor other = torch::tensor({1, 0});
  const double expected = 0.25 * cross_entropy(kLogits, kTargets).item<double>() +
                          0.75 * cross_entropy(kLogits, other).item<double>();
  const torch::Tensor loss =
      training_loss({}, kLogits, {kTargets, other, torch::tensor(0.25f)}, {});
  EXPECT_NEAR(loss.item<double>(), expected, 1e-12);
  EXPECT_EQ(loss.scalar_type(), torch::kFloat64);
}

TEST(Loss, OfTrainingGivesTheTeacherItsShare) {
  config::TrainOptions options;
  options.distill_alpha = 0.25;
  options.distill_temperature = 3;
  options.distill_loss = config::DistillLoss::soft_b;
  const double expected =
      0.75 * cross_entropy(kLogits, kTargets).item<double>() +
      0.25 * distillation_loss(config::DistillLoss::soft_b, kLogits, kTeacher, 3).item<double>();
  EXPECT_NEAR(training_loss(options, kLogits, {kTargets, {}, {}}, kTeacher).item<double>(),
              expected, 1e-12);
}

}  // namespace
}  // namespace lowbit::train
