#include "lowbit/nn/norm.h"

#include <gtest/gtest.h>

#include "lowbit/core/error.h"

namespace lowbit::nn {
namespace {

using config::Norm;
using torch::Tensor;

Tensor features() {
  return torch::randn({4, 8, 3, 3}, torch::kFloat64) * 3 + 1;
}

std::shared_ptr<BatchNorm> make(Norm kind) {
  auto norm = std::make_shared<BatchNorm>(8, kind);
  norm->to(torch::kFloat64);
  const torch::NoGradGuard no_grad;
  for (auto& parameter : norm->parameters()) parameter.uniform_(0.5, 2);
  return norm;
}

Tensor standardized(const Tensor& x) {
  const Tensor mean = x.mean({0, 2, 3}, true), var = x.var({0, 2, 3}, false, true);
  return (x - mean) / torch::sqrt(var + 1e-5);
}

Tensor channels(const Tensor& vector) {
  return vector.view({1, -1, 1, 1});
}

TEST(BatchNorm, LearnsStatisticsInTrainingOnly) {
  const auto norm = make(Norm::batch);
  const Tensor x = features();
  norm->forward(x);
  const Tensor mean = norm->named_buffers()["running_mean"].clone();
  EXPECT_TRUE(torch::allclose(mean, 0.1 * x.mean({0, 2, 3})));
  norm->eval();
  norm->forward(x);
  EXPECT_TRUE(torch::equal(norm->named_buffers()["running_mean"], mean));
}

TEST(BatchNorm, WithStaticStatisticsStillLearnsFactorAndShift) {
  const auto norm = make(Norm::static_batch);
  const Tensor x = features();
  const Tensor y = norm->forward(x);
  const auto parameters = norm->named_parameters();
  EXPECT_TRUE(torch::allclose(
      y, x / std::sqrt(1 + 1e-5) * channels(parameters["weight"]) + channels(parameters["bias"])));
  y.sum().backward();
  EXPECT_TRUE(parameters["weight"].grad().defined());
  EXPECT_FALSE(norm->batches_to_count().defined());
}

TEST(BatchNorm, FrozenTrainsNothing) {
  for (const auto& parameter : make(Norm::frozen_batch)->parameters())
    EXPECT_FALSE(parameter.requires_grad());
}

TEST(BatchNorm, ReversedNormalizesWhatFactorAndShiftGave) {
  const auto norm = make(Norm::reverse_batch);
  const Tensor x = features();
  const auto parameters = norm->named_parameters();
  const Tensor scaled = x * channels(parameters["weight"]) + channels(parameters["bias"]);
  EXPECT_TRUE(torch::allclose(norm->forward(x), standardized(scaled)));
}

TEST(GroupNorm, TakesItsGroupsFromTheFeatureOption) {
  config::ModelOptions options;
  options.norm = Norm::group;
  options.fm.quant_group = 2;
  const LayerPtr norm = make_norm(8, options);
  norm->to(torch::kFloat64);
  const Tensor x = features(), split = x.view({4, 2, -1});
  const Tensor mean = split.mean(2, true), var = split.var(2, false, true);
  EXPECT_TRUE(torch::allclose(norm->forward(x).view({4, 2, -1}),
                              (split - mean) / torch::sqrt(var + 1e-5), 1e-10, 1e-10));
}

TEST(GroupNorm, WithGroupsThatDoNotDivideIsAnError) {
  config::ModelOptions options;
  options.norm = Norm::group;
  EXPECT_THROW(make_norm(48, options), core::Error);
}

TEST(InstanceNorm, HasNothingToLearnOrStore) {
  config::ModelOptions options;
  options.norm = Norm::instance;
  const LayerPtr norm = make_norm(8, options);
  EXPECT_TRUE(norm->parameters().empty());
  EXPECT_TRUE(norm->buffers().empty());
  const Tensor y = norm->forward(features());
  EXPECT_TRUE(torch::allclose(y.mean({2, 3}), torch::zeros({4, 8}, torch::kFloat64), 0, 1e-10));
}

}  // namespace
}  // namespace lowbit::nn
