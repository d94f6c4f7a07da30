#include "lowbit/optim/adam.h"

#include <gtest/gtest.h>
#include <torch/optim.h>

namespace lowbit::optim {
namespace {

TEST(Adam, RuleIsThatOfTheReferenceOptimizer) {
  torch::manual_seed(1);
  const auto start = torch::randn({5, 4, 3, 3});
  auto ours = start.clone().requires_grad_(), theirs = start.clone().requires_grad_();
  Adam adam({{0.01, {"w"}, {ours}}});
  torch::optim::Adam reference({theirs}, torch::optim::AdamOptions(0.1).weight_decay(0.01));
  for (int step = 0; step < 4; ++step) {
    const auto gradient = torch::randn_like(start);
    adam.set_learning_rate(0.1);
    adam.step({gradient}, torch::zeros({1}));
    theirs.mutable_grad() = gradient.clone();
    reference.step();
  }
  EXPECT_TRUE(torch::allclose(ours, theirs, 1e-5, 1e-6));
  EXPECT_FALSE(torch::allclose(ours, start, 1e-2, 1e-2));
}

TEST(Adam, EveryGroupHasItsOwnRateAndDecay) {
  auto a = torch::ones({2}).requires_grad_(), b = torch::ones({2}).requires_grad_();
  Adam adam({{0, {"a"}, {a}}, {0, {"b"}, {b}}});
  adam.set_learning_rate(0, 0.5);
  adam.set_learning_rate(1, 0.25);
  adam.step({torch::ones({2}), torch::ones({2})}, torch::zeros({1}));
  EXPECT_TRUE(torch::allclose(a, torch::full({2}, 0.5)));
  EXPECT_TRUE(torch::allclose(b, torch::full({2}, 0.75)));
}

TEST(Adam, SkippedStepChangesNothing) {
  auto weight = torch::ones({3}).requires_grad_();
  Adam adam({{0.1, {"w"}, {weight}}});
  adam.set_learning_rate(1);
  adam.step({torch::ones({3})}, torch::ones({1}));
  EXPECT_TRUE(torch::equal(weight, torch::ones({3})));
  for (const Optimizer::State& state : adam.state())
    EXPECT_EQ(state.tensors[0].abs().sum().item<float>(), 0) << state.name;
}

TEST(Adam, ForgetsWhatItGatheredAboutOneParameter) {
  auto a = torch::zeros({2}).requires_grad_(), b = torch::zeros({2}).requires_grad_();
  Adam adam({{0, {"a", "b"}, {a, b}}});
  adam.set_learning_rate(1);
  adam.step({torch::ones({2}), torch::ones({2})}, torch::zeros({1}));
  adam.clear_momentum(b);
  for (const Optimizer::State& state : adam.state()) {
    EXPECT_GT(state.tensors[0].sum().item<float>(), 0) << state.name;
    EXPECT_EQ(state.tensors[1].sum().item<float>(), 0) << state.name;
  }
}

}  // namespace
}  // namespace lowbit::optim
