#include <gtest/gtest.h>

#include "layers.h"

namespace lowbit::exec {
namespace {

using torch::Tensor;

Tensor features() {
  return torch::randn({4, 8, 3, 3}, torch::kFloat64) * 3 + 1;
}

std::shared_ptr<BatchNormLayer> make(const graph::BatchNorm& op) {
  auto norm = std::make_shared<BatchNormLayer>(8, op);
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
  const auto norm = make({});
  const Tensor x = features();
  norm->forward(x);
  const Tensor mean = norm->named_buffers()["norm.running_mean"].clone();
  EXPECT_TRUE(torch::allclose(mean, 0.1 * x.mean({0, 2, 3})));
  norm->eval();
  norm->forward(x);
  EXPECT_TRUE(torch::equal(norm->named_buffers()["norm.running_mean"], mean));
}

TEST(BatchNorm, WithStaticStatisticsStillLearnsFactorAndShift) {
  const auto norm = make({.fixed_statistics = true});
  const Tensor x = features();
  const Tensor y = norm->forward(x);
  const auto parameters = norm->named_parameters();
  EXPECT_TRUE(torch::allclose(y, x / std::sqrt(1 + 1e-5) * channels(parameters["norm.weight"]) +
                                     channels(parameters["norm.bias"])));
  y.sum().backward();
  EXPECT_TRUE(parameters["norm.weight"].grad().defined());
  EXPECT_EQ(norm->named_buffers()["norm.num_batches_tracked"].item<int64_t>(), 0);
}

TEST(BatchNorm, ReversedNormalizesWhatFactorAndShiftGave) {
  const auto norm = make({.affine_first = true});
  const Tensor x = features();
  const auto parameters = norm->named_parameters();
  const Tensor scaled = x * channels(parameters["norm.weight"]) + channels(parameters["norm.bias"]);
  EXPECT_TRUE(torch::allclose(norm->forward(x), standardized(scaled)));
}

TEST(GroupNorm, NormalizesEachGroupOfChannels) {
  GraphModule norm(layer_graph({8, 3, 3}, [](graph::Builder& b, graph::ValueId x) {
    return b.group_norm("norm", x, {.groups = 2});
  }));
  norm.to(torch::kFloat64);
  const Tensor x = features(), split = x.view({4, 2, -1});
  const Tensor mean = split.mean(2, true), var = split.var(2, false, true);
  EXPECT_TRUE(torch::allclose(norm.forward(x).view({4, 2, -1}),
                              (split - mean) / torch::sqrt(var + 1e-5), 1e-10, 1e-10));
}

TEST(InstanceNorm, HasNothingToLearnOrStore) {
  GraphModule norm(layer_graph({8, 3, 3}, [](graph::Builder& b, graph::ValueId x) {
    return b.node("norm", graph::InstanceNorm{}, {x});
  }));
  EXPECT_TRUE(norm.parameters().empty());
  EXPECT_TRUE(norm.buffers().empty());
  const Tensor y = norm.forward(features());
  EXPECT_TRUE(torch::allclose(y.mean({2, 3}), torch::zeros({4, 8}, torch::kFloat64), 0, 1e-10));
}

}  // namespace
}  // namespace lowbit::exec
