#include "lowbit/optim/sgd.h"

#include <gtest/gtest.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim.h>

#include "lowbit/optim/loss_scaler.h"
#include "lowbit/optim/parameter_groups.h"

namespace lowbit::optim {
namespace {

struct TwoLayers : torch::nn::Module {
  TwoLayers() {
    conv = register_module("conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(4, 3, 3).bias(true)));
    depthwise = register_module(
        "depthwise", torch::nn::Conv2d(torch::nn::Conv2dOptions(4, 4, 3).groups(4).bias(false)));
    clip_val = register_parameter("clip_val", torch::ones({3, 1, 1, 1}));
    level_num = register_parameter("level_num", torch::ones({1}), /*requires_grad=*/false);
  }
  torch::nn::Conv2d conv = nullptr, depthwise = nullptr;
  torch::Tensor clip_val, level_num;
};

std::vector<double> decays(const config::TrainOptions& options) {
  std::vector<double> result;
  for (const char* name : {"conv.weight", "conv.bias", "depthwise.weight", "clip_val"}) {
    TwoLayers layers;
    result.push_back(weight_decay(options, name, layers.named_parameters()[name].sizes()));
  }
  return result;
}

TEST(WeightDecay, LeavesOutVectorsAndDepthwiseWeightsByDefault) {
  config::TrainOptions options;
  options.weight_decay = 0.5;
  EXPECT_EQ(decays(options), (std::vector<double>{0.5, 0, 0, 0}));
}

TEST(WeightDecay, DecaySmallReachesEverything) {
  config::TrainOptions options;
  options.weight_decay = 0.5;
  options.decay_small = true;
  EXPECT_EQ(decays(options), (std::vector<double>{0.5, 0.5, 0.5, 0.5}));
}

TEST(WeightDecay, TheCustomListGoesBeforeAllElse) {
  config::TrainOptions options;
  options.weight_decay = 0.5;
  options.custom_decay = 0.25;
  options.custom_decay_list = {"clip", "conv.w"};
  EXPECT_EQ(decays(options), (std::vector<double>{0.25, 0, 0, 0.25}));
}

TEST(ParameterGroups, HoldEveryTrainedParameterOnceByWeightDecay) {
  config::TrainOptions options;
  options.weight_decay = 0.5;
  const auto groups = group_parameters(options, TwoLayers());
  ASSERT_EQ(groups.size(), 2u);
  // Module order: own parameters first, then the children's; level_num is never trained.
  EXPECT_EQ(groups[0].names,
            (std::vector<std::string>{"clip_val", "conv.bias", "depthwise.weight"}));
  EXPECT_EQ(groups[1].names, (std::vector<std::string>{"conv.weight"}));
  EXPECT_EQ(groups[1].weight_decay, 0.5);
}

// A layer as quantized ones are: its weight beside the quantizer's parameters.
struct QuantizedLayer : torch::nn::Module {
  QuantizedLayer() {
    layer = register_module("conv", std::make_shared<torch::nn::Module>());
    layer->register_parameter("weight", torch::ones({2, 2, 1, 1}));
    auto quantizer = layer->register_module("quant_weight", std::make_shared<torch::nn::Module>());
    quantizer->register_parameter("level_num", torch::ones({1}), /*requires_grad=*/false);
    quantizer->register_parameter("clip_val", torch::ones({2, 1, 1, 1}));
    plain = register_module("fc", torch::nn::Linear(2, 2));
  }
  std::shared_ptr<torch::nn::Module> layer;
  torch::nn::Linear plain = nullptr;
};

std::vector<RateSource> rate_sources(std::vector<std::string> custom_lr_list) {
  config::TrainOptions options;
  options.custom_lr_list = std::move(custom_lr_list);
  std::vector<RateSource> result;
  for (const char* name : {"conv.weight", "conv.quant_weight.clip_val", "fc.weight"})
    result.push_back(rate_source(options, name, QuantizedLayer()));
  return result;
}

TEST(RateSource, IsCustomForNamesOfTheList) {
  using enum RateSource;
  EXPECT_EQ(rate_sources({}), (std::vector{schedule, schedule, schedule}));
  EXPECT_EQ(rate_sources({"clip_val"}), (std::vector{schedule, custom_schedule, schedule}));
  EXPECT_EQ(rate_sources({"fc", "conv.w"}),
            (std::vector{custom_schedule, schedule, custom_schedule}));
}

TEST(RateSource, IsConstantForQuantWeightAndTheWeightBesideIt) {
  using enum RateSource;
  EXPECT_EQ(rate_sources({"quant_weight"}), (std::vector{constant, constant, schedule}));
  EXPECT_EQ(rate_sources({"conv.w", "quant_weight"}),
            (std::vector{custom_schedule, constant, schedule}));
}

TEST(ParameterGroups, AreSplitByRateToo) {
  config::TrainOptions options;
  options.weight_decay = 0.5;
  options.custom_lr_list = {"conv.weight"};
  const auto groups = group_parameters(options, TwoLayers());
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0].rate, RateSource::schedule);
  EXPECT_EQ(groups[1].names, (std::vector<std::string>{"conv.weight"}));
  EXPECT_EQ(groups[1].rate, RateSource::custom_schedule);
}

class SgdRule : public testing::TestWithParam<bool> {};

TEST_P(SgdRule, IsThatOfTheReferenceOptimizer) {
  config::TrainOptions options;
  options.momentum = 0.9;
  options.weight_decay = 0.01;
  options.nesterov = GetParam();
  torch::manual_seed(1);
  const auto start = torch::randn({5, 4, 3, 3});
  auto ours = start.clone().requires_grad_(), theirs = start.clone().requires_grad_();

  Sgd sgd({{options.weight_decay, {"w"}, {ours}}}, options);
  torch::optim::SGD reference(
      {theirs},
      torch::optim::SGDOptions(0.1).momentum(0.9).weight_decay(0.01).nesterov(GetParam()));
  for (int step = 0; step < 4; ++step) {
    const auto gradient = torch::randn_like(start);
    sgd.set_learning_rate(0.1);
    sgd.step({gradient}, torch::zeros({1}));
    theirs.mutable_grad() = gradient.clone();
    reference.step();
  }
  EXPECT_TRUE(torch::allclose(ours, theirs, 1e-6, 1e-7));
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutNesterov, SgdRule, testing::Bool());

TEST(Sgd, SkippedStepChangesNothing) {
  config::TrainOptions options;
  auto weight = torch::ones({3}).requires_grad_();
  Sgd sgd({{0.1, {"w"}, {weight}}}, options);
  sgd.set_learning_rate(1);
  sgd.step({torch::ones({3})}, torch::ones({1}));
  EXPECT_TRUE(torch::equal(weight, torch::ones({3})));
  EXPECT_TRUE(torch::equal(sgd.velocities()[0], torch::zeros({3})));
}

TEST(Sgd, ClearsTheMomentumOfOneParameterInPlace) {
  auto a = torch::zeros({2}).requires_grad_(), b = torch::zeros({2}).requires_grad_();
  Sgd sgd({{0, {"a"}, {a}}, {0.1, {"b"}, {b}}}, {});
  sgd.set_learning_rate(1);
  sgd.step({torch::ones({2}), torch::ones({2})}, torch::zeros({1}));
  const torch::Tensor velocity = sgd.velocities()[1];
  sgd.clear_momentum(b);
  EXPECT_TRUE(torch::equal(velocity, torch::zeros({2})));
  EXPECT_TRUE(torch::equal(sgd.velocities()[0], torch::ones({2})));
  sgd.clear_momentum(torch::zeros({2}));  // trained by nobody
  EXPECT_TRUE(torch::equal(sgd.velocities()[0], torch::ones({2})));
}

TEST(Sgd, GradientsInAnotherMemoryLayoutMeanTheSame) {
  config::TrainOptions options;
  auto weight = torch::zeros({2, 3, 2, 2}).contiguous(torch::MemoryFormat::ChannelsLast);
  const auto gradient = torch::arange(24.0f).reshape({2, 3, 2, 2});
  Sgd sgd({{0, {"w"}, {weight.requires_grad_()}}}, options);
  sgd.set_learning_rate(1);
  sgd.step({gradient}, torch::zeros({1}));
  EXPECT_TRUE(torch::equal(weight, -gradient));
}

TEST(LossScaler, DividesWhatItMultiplied) {
  LossScaler scaler(true, torch::kCPU);
  const auto scaled = scaler.scale(torch::tensor(3.0f));
  EXPECT_GT(scaled.item<float>(), 3.0f);
  const auto skip = scaler.unscale({scaled}, torch::zeros({1}));
  EXPECT_EQ(scaled.item<float>(), 3.0f);
  EXPECT_EQ(skip.item<float>(), 0.0f);
}

TEST(LossScaler, HalvesTheFactorAndSkipsAfterAnInfiniteGradient) {
  LossScaler scaler(true, torch::kCPU);
  const float before = scaler.factor().item<float>();
  const auto gradient = torch::full({2}, std::numeric_limits<float>::infinity());
  EXPECT_EQ(scaler.unscale({gradient, torch::Tensor()}, torch::zeros({1})).item<float>(), 1.0f);
  scaler.update();
  EXPECT_EQ(scaler.factor().item<float>(), before / 2);
}

TEST(LossScaler, PassesAHaltOnEvenIfNotEnabled) {
  LossScaler off(false, torch::kCPU), on(true, torch::kCPU);
  EXPECT_EQ(off.unscale({torch::ones({1})}, torch::ones({1})).item<float>(), 1.0f);
  EXPECT_EQ(on.unscale({torch::ones({1})}, torch::ones({1})).item<float>(), 1.0f);
  EXPECT_EQ(off.scale(torch::tensor(3.0f)).item<float>(), 3.0f);
}

}  // namespace
}  // namespace lowbit::optim
