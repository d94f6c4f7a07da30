#include "lowbit/models/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>

#include "lowbit/core/error.h"
#include "lowbit/models/factory.h"
#include "small_options.h"

namespace lowbit::models {
namespace {

using config::BlockOrder;
using testing::HasSubstr;
using torch::Tensor;

Tensor small_images() {
  return torch::rand({2, 3, 16, 16});
}

std::map<std::string, Tensor> by_name(const Network& network) {
  std::map<std::string, Tensor> result;
  for (const NamedTensor& entry : network.state()) result[entry.name] = entry.tensor;
  return result;
}

std::string message(const config::ModelOptions& options) {
  try {
    make_network(options);
  } catch (const core::Error& error) {
    return error.what();
  }
  return "";
}

TEST(Network, EveryNameInTheFactoryIsBuilt) {
  for (const std::string& name : config::model_names()) {
    config::ModelOptions options = small_resnet20();
    options.name = name;
    options.family = config::family_of(name);
    options.order = BlockOrder::cbas;
    options.unit_order = config::UnitOrder::cba;
    options.width_alpha = 1.0 / 16;
    EXPECT_EQ(make_network(options)->options().name, name);
  }
}

TEST(Network, AnUnknownNameIsAnErrorWithTheNearestOne) {
  config::ModelOptions options = small_resnet20();
  options.name = "resnet201";
  EXPECT_THAT(message(options), HasSubstr("did you mean 'resnet20"));
}

TEST(Network, AMissingOrderIsAnErrorThatListsThem) {
  config::ModelOptions options = small_resnet20();
  options.order = BlockOrder::none;
  EXPECT_THAT(message(options), HasSubstr("cbas, cbsa, cabs, bacs or bcas"));
}

TEST(Network, AWidthWithoutChannelsIsAnError) {
  config::ModelOptions options = small_resnet20();
  options.width_alpha = 0.01;
  EXPECT_THAT(message(options), HasSubstr("--width_alpha 0.01"));
}

TEST(Network, WeightsAreAFunctionOfTheSeed) {
  const auto first_weight = [](int seed) {
    torch::manual_seed(seed);
    return by_name(*make_network(small_resnet20())).at("layer1.0.conv1.0.weight").clone();
  };
  EXPECT_TRUE(torch::equal(first_weight(1), first_weight(1)));
  EXPECT_FALSE(torch::equal(first_weight(1), first_weight(2)));
}

TEST(Network, TensorsByNameCarryAllThatANetworkComputes) {
  const auto a = make_network(small_resnet20()), b = make_network(small_resnet20());
  const Tensor x = small_images();
  a->forward(x);  // moves the statistics
  const auto from = by_name(*a);
  for (const NamedTensor& entry : b->state()) {
    const torch::NoGradGuard no_grad;
    Tensor target = entry.tensor;
    target.copy_(from.at(entry.name));
  }
  a->eval();
  b->eval();
  EXPECT_TRUE(torch::equal(a->forward(x), b->forward(x)));
}

TEST(Network, CountsEveryPassForQuantizersAndTrainingPassesForNorms) {
  const auto network = make_network(small_resnet20());
  network->forward(small_images());
  network->eval();
  network->forward(small_images());
  const auto state = by_name(*network);
  EXPECT_EQ(state.at("layer3.2.conv2.0.quant_weight.iteration").item<double>(), 2);
  EXPECT_EQ(state.at("layer3.2.bn2.0.num_batches_tracked").item<int64_t>(), 1);
}

TEST(Network, IndexesConvolutionsInTheOrderOfCheckpointsFullPrecisionOnesIncluded) {
  config::ModelOptions options = small_resnet20();
  options.real_skip = true;
  std::vector<std::string> paths;
  const auto network = make_network(options);
  for (const QuantLayer& layer : network->quant_layers()) paths.push_back(layer.name());
  ASSERT_EQ(paths.size(), 20U);
  EXPECT_EQ(paths[0], "layer1.0.conv1.0");
  EXPECT_EQ(paths[1], "layer1.0.conv2.0");
  EXPECT_EQ(paths[6], "layer2.0.skip.1");
  EXPECT_EQ(paths[7], "layer2.0.conv1.0");
  EXPECT_EQ(network->quant_layers()[6].quantizer(config::Tag::wt), nullptr);
  EXPECT_EQ(network->quantizers().size(), 2U * 18);
}

TEST(Network, NamesTheFirstLayerWhoseOutputIsNotFinite) {
  const auto network = make_network(small_resnet20());
  EXPECT_EQ(network->first_non_finite_layer(small_images()), "");
  by_name(*network).at("layer3.0.conv1.0.weight").data()[0][0][0][0] = NAN;
  by_name(*network).at("layer2.1.bn2.0.weight").data()[0] = INFINITY;
  EXPECT_EQ(network->first_non_finite_layer(small_images()), "layer2.1.bn2.0");
}

TEST(Network, ComputesTheSameInChannelsLast) {
  torch::manual_seed(1);
  const auto network = make_network(small_resnet20());
  network->to(torch::kFloat64);
  network->eval();
  const Tensor x = small_images().to(torch::kFloat64);
  const Tensor expected = network->forward(x);
  network->use_channels_last();
  const Tensor actual = network->forward(x.contiguous(torch::MemoryFormat::ChannelsLast));
  EXPECT_TRUE(torch::allclose(actual, expected, 1e-9, 1e-9));
}

TEST(Network, InHalfPrecisionGivesFloatLogitsAndGradients) {
  config::ModelOptions options = small_resnet20();
  options.fm.enable = options.wt.enable = false;
  const auto network = make_network(options);
  const Tensor logits = network->forward(small_images().to(torch::kBFloat16));
  EXPECT_EQ(logits.scalar_type(), torch::kFloat32);
  logits.sum().backward();
  for (const Tensor& parameter : network->parameters())
    EXPECT_EQ(parameter.grad().scalar_type(), torch::kFloat32);
}

TEST(Network, ZirStartsTheLastNormOfEveryBlockAtZero) {
  config::ModelOptions options = small_resnet20();
  options.zero_init_residual = true;
  const auto state = by_name(*make_network(options));
  EXPECT_EQ(state.at("layer2.1.bn2.0.weight").abs().sum().item<double>(), 0);
  EXPECT_EQ(state.at("layer2.1.bn1.0.weight").min().item<double>(), 1);
}

TEST(Network, TheLargeImageStemHalvesTwice) {
  config::ModelOptions options = small_resnet20();
  options.name = "resnet18";
  options.cifar_stem = false;
  const auto network = make_network(options);
  EXPECT_EQ(by_name(*network).at("conv1.weight").sizes(), (std::vector<int64_t>{4, 3, 7, 7}));
  network->eval();
  EXPECT_EQ(network->forward(torch::rand({1, 3, 64, 64})).sizes(), (std::vector<int64_t>{1, 5}));
}

TEST(Network, IntegersStayIntegersInAnotherType) {
  config::ModelOptions options = small_resnet20();
  options.fm.method = options.wt.method = config::Method::lq;
  const auto network = make_network(options);
  network->to(torch::kCPU, torch::kFloat64);
  const auto state = by_name(*network);
  const std::string conv = "layer1.0.conv1.0.quant_weight.";
  EXPECT_EQ(state.at("layer1.0.bn1.0.num_batches_tracked").scalar_type(), torch::kInt64);
  EXPECT_EQ(state.at(conv + "codec_index").scalar_type(), torch::kInt32);
  EXPECT_EQ(state.at(conv + "basis").scalar_type(), torch::kFloat64);
  network->forward(small_images().to(torch::kFloat64));
  EXPECT_EQ(state.at("layer1.0.bn1.0.num_batches_tracked").item<int64_t>(), 1);
}

TEST(Network, TellsOfAQuantizerThatCouldNotLearn) {
  config::ModelOptions options = small_resnet20();
  options.fm.enable = false;
  options.wt.method = config::Method::lq;
  const auto network = make_network(options);
  network->forward(small_images());
  EXPECT_EQ(network->quantizer_trouble(), "");
  {
    const torch::NoGradGuard no_grad;
    const auto state = by_name(*network);
    Tensor weight = state.at("layer2.0.conv2.0.weight");
    weight.flatten()[0] = std::numeric_limits<float>::quiet_NaN();
  }
  network->forward(small_images());
  EXPECT_THAT(network->quantizer_trouble(), HasSubstr("layer 'layer2.0.conv2.0': LQ found no"));
}

}  // namespace
}  // namespace lowbit::models
