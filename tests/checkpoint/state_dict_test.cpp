#include "lowbit/checkpoint/state_dict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/linear.h>

#include "lowbit/core/error.h"

namespace lowbit::checkpoint {
namespace {

using core::Error;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

struct Block : torch::nn::Module {
  Block() {
    scale = register_parameter("scale", torch::ones({1}));
    norm = register_module("norm", torch::nn::BatchNorm1d(2));
    counter = register_buffer("counter", torch::zeros({1}, torch::kInt64));
  }
  torch::Tensor scale, counter;
  torch::nn::BatchNorm1d norm{nullptr};
};

struct Net : torch::nn::Module {
  Net() {
    fc = register_module("fc", torch::nn::Linear(2, 3));
    block = register_module("block", std::make_shared<Block>());
  }
  torch::nn::Linear fc{nullptr};
  std::shared_ptr<Block> block;
};

std::vector<std::string> names(const NamedTensors& tensors) {
  std::vector<std::string> result;
  for (const auto& [name, tensor] : tensors) result.push_back(name);
  return result;
}

Dict two_tensors() {
  return {{"module.b", torch::ones({1})}, {"a", torch::ones({2})}};
}

TEST(StateDict, IsFoundBareAndInItsWrappersWithoutTheParallelPrefix) {
  for (const Value& file : {Value(two_tensors()), Value(Dict{{"state_dict", two_tensors()}}),
                            Value(Dict{{"epoch", 3}, {"model", two_tensors()}})})
    EXPECT_THAT(names(state_dict(file)), ElementsAre("b", "a"));
}

TEST(StateDict, IsFoundWhereTrainingScriptsPutIt) {
  for (const char* key : {"net", "model_state_dict", "model_ema", "ema"})
    EXPECT_THAT(names(state_dict(Dict{{"epoch", 3}, {key, two_tensors()}})), ElementsAre("b", "a"));
  const Dict inner = {{"model", Dict{{"w", torch::ones({2, 2})}}}};
  EXPECT_THAT(names(state_dict(Dict{{"checkpoint", inner}, {"model", "x"}})), ElementsAre("w"));
  EXPECT_THAT(names(state_dict(List{two_tensors()})), ElementsAre("b", "a"));
  const Dict ema = {{"other", torch::ones({1})}};
  EXPECT_THAT(names(state_dict(Dict{{"ema", ema}, {"model", two_tensors()}})),
              ElementsAre("b", "a"));
}

TEST(StateDict, TheOnlyEntryWithWeightsIsIt) {
  const Dict weights = {{"w", torch::ones({2, 2})}};
  const Dict amp = {{"scale", torch::ones({})}};
  EXPECT_THAT(names(state_dict(Dict{{"amp", amp}, {"generator", weights}})), ElementsAre("w"));
  try {
    state_dict(Dict{{"generator", weights}, {"critic", weights}});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.details(), HasSubstr("generator: a dict, critic: a dict"));
  }
}

TEST(StateDict, WhatParallelAndCompiledModulesAddToNamesIsLeftOff) {
  const Dict file = {{"module._orig_mod.a.weight", torch::ones({1})},
                     {"module.module.b", torch::ones({1})},
                     {"features.module.0.weight", torch::ones({1})}};
  EXPECT_THAT(names(state_dict(file)), ElementsAre("a.weight", "b", "features.0.weight"));
}

TEST(StateDict, OfTwoSpellingsThePlainOneIsTaken) {
  const Dict both = {{"module.a", torch::zeros({1})}, {"a", torch::ones({1})}};
  const StateDict state = read_state(both);
  ASSERT_THAT(names(state.tensors), ElementsAre("a"));
  EXPECT_EQ(state.tensors[0].second.item<float>(), 1);
  EXPECT_THAT(state.shadowed, ElementsAre("module.a"));
}

TEST(StateDict, AnEntryCalledModelThatIsNoDictIsNoWrapper) {
  Dict file = two_tensors();
  file.set("model", "resnet20");
  EXPECT_THAT(names(state_dict(file)), ElementsAre("b", "a"));
}

TEST(StateDict, AFileWithoutTensorsByNameIsAnError) {
  EXPECT_THROW(state_dict(Dict{{"epoch", 3}}), Error);
  EXPECT_THROW(state_dict(Dict{{1, torch::ones({1})}}), Error);
  EXPECT_THROW(state_dict(List{torch::ones({1})}), Error);
  EXPECT_THROW(state_dict(List{two_tensors(), two_tensors()}), Error);
  EXPECT_THROW(state_dict(torch::ones({1})), Error);
}

TEST(NamedTensors, HaveTheOrderOfPythonsStateDict) {
  EXPECT_THAT(names(named_tensors(Net())),
              ElementsAre("fc.weight", "fc.bias", "block.scale", "block.counter",
                          "block.norm.weight", "block.norm.bias", "block.norm.running_mean",
                          "block.norm.running_var", "block.norm.num_batches_tracked"));
}

TEST(LoadState, CopiesByNameAndReportsNothingWhereAllFits) {
  Net from, to;
  const LoadReport report = load_state(to, state_dict(to_dict(named_tensors(from))));
  EXPECT_THAT(report.stayed, IsEmpty());
  EXPECT_THAT(report.unused, IsEmpty());
  EXPECT_THAT(report.reshaped, IsEmpty());
  EXPECT_TRUE(to.fc->weight.equal(from.fc->weight));
  EXPECT_FALSE(to.fc->weight.is_alias_of(from.fc->weight));
}

TEST(LoadState, ConvertsTheTypeToThatOfTheNetwork) {
  Net net;
  load_state(net, {{"fc.bias", torch::tensor({1.0, 2.0, 3.0}, torch::kFloat64)}});
  EXPECT_TRUE(net.fc->bias.equal(torch::tensor({1.0f, 2.0f, 3.0f})));
}

TEST(LoadState, ReshapesWhereOnlyTheShapeDiffersAndSaysSo) {
  Net net;
  const LoadReport report =
      load_state(net, {{"fc.weight", torch::arange(6, torch::kFloat32).view({1, 3, 2, 1})}});
  EXPECT_THAT(report.reshaped, ElementsAre("fc.weight"));
  EXPECT_EQ(net.fc->weight[2][1].item<float>(), 5.0f);
}

TEST(LoadState, AsManyValuesInAnotherOrderAreAnError) {
  Net net;
  const torch::Tensor before = net.fc->weight.clone();
  try {
    load_state(net, {{"fc.weight", torch::ones({2, 3})}});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("'fc.weight' is [2, 3] in the file and [3, 2]"));
  }
  EXPECT_TRUE(net.fc->weight.equal(before));
  EXPECT_THROW(load_state(net, {{"fc.weight", torch::ones({6})}}), Error);
}

TEST(LoadState, WholeNumbersAreNoWeights) {
  Net net;
  try {
    load_state(net, {{"fc.weight", torch::ones({3, 2}, torch::kInt8)}});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("'fc.weight' holds whole numbers (Char)"));
  }
  load_state(net, {{"block.scale", torch::tensor({7})}});
  EXPECT_EQ(net.block->scale.item<float>(), 7.0f);
}

Dict with_prefix(const std::string& prefix, const torch::nn::Module& network) {
  std::vector<Dict::Entry> entries;
  for (const auto& [name, tensor] : named_tensors(network))
    entries.emplace_back(prefix + name, tensor);
  return Dict(std::move(entries));
}

TEST(LoadState, APrefixOfMostNamesIsLeftOff) {
  const Net from;
  for (const char* prefix : {"model.", "backbone.", "a.b.c."}) {
    Net to;
    Dict file = with_prefix(prefix, from);
    file.set("loss.weight", torch::ones({1}));
    const LoadReport report = load_state(to, file, {});
    EXPECT_EQ(report.prefix, prefix);
    EXPECT_THAT(report.stayed, IsEmpty());
    EXPECT_THAT(report.unused, ElementsAre("loss.weight"));
    EXPECT_TRUE(to.fc->weight.equal(from.fc->weight));
  }
}

TEST(LoadState, NamesThatFitAreLeftAsTheyAre) {
  Net from, to;
  Dict file = with_prefix("", from);
  for (const auto& [name, tensor] : with_prefix("ema.", Net())) file.set(name, tensor);
  const LoadReport report = load_state(to, file, {});
  EXPECT_EQ(report.prefix, "");
  EXPECT_TRUE(to.fc->weight.equal(from.fc->weight));
}

TEST(LoadState, AnEntryThatCannotBeReadIsNamed) {
  Dict file = with_prefix("model.", Net());
  file.set("model.fc.weight", Value(Value::Content(Opaque{"sparse tensor"})));
  file.set("model.extra", Value(Value::Content(Opaque{"quantized tensor"})));
  Net net;
  try {
    load_state(net, file, {});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("'fc.weight' is a sparse tensor"));
  }
  // Without it the rest is loaded.
  EXPECT_THAT(load_state(net, file, {.only = {}, .without = {"fc."}}).stayed,
              ElementsAre("fc.weight", "fc.bias"));
}

TEST(LoadState, AScalarForASingleElementIsNotWorthAMention) {
  Net net;
  const LoadReport report = load_state(net, {{"block.scale", torch::tensor(7.0f)}});
  EXPECT_THAT(report.reshaped, IsEmpty());
  EXPECT_EQ(net.block->scale.item<float>(), 7.0f);
}

TEST(LoadState, ReportsWhatStayedAndWhatWasNotUsed) {
  Net net;
  NamedTensors tensors = named_tensors(Net());
  std::erase_if(tensors, [](const auto& entry) {
    return entry.first == "block.scale" || entry.first == "block.norm.num_batches_tracked";
  });
  tensors[0].second = torch::ones({5, 2});  // fc.weight of another number of classes
  tensors.emplace_back("old.weight", torch::ones({1}));
  tensors.emplace_back("old.num_batches_tracked", torch::ones({1}));
  const LoadReport report = load_state(net, tensors);
  EXPECT_THAT(report.stayed, ElementsAre("fc.weight [3, 2], in the file [5, 2]", "block.scale"));
  EXPECT_THAT(report.unused, ElementsAre("fc.weight", "old.weight"));
}

TEST(LoadState, AFileOfWhichNothingFitsIsAnErrorThatShowsBothSides) {
  Net net;
  try {
    load_state(net, {{"features.0\nlowbit: forged", torch::ones({4, 4})}});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.details(), HasSubstr("the network has: fc.weight [3, 2], "));
    EXPECT_THAT(error.details(), EndsWith("\nthe file has:    features.0\\nlowbit: forged [4, 4]"));
  }
}

std::string trouble_of(const torch::nn::Module& network) {
  try {
    require_finite(network);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(RequireFinite, NamesTheFirstEntryThatIsNot) {
  const torch::NoGradGuard no_grad;
  Net net;
  EXPECT_EQ(trouble_of(net), "");
  net.block->scale.fill_(std::numeric_limits<float>::infinity());
  EXPECT_EQ(trouble_of(net), "'block.scale' holds an infinity: 1 of its 1 values are not finite");
  net.fc->weight[1][0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(trouble_of(net), "'fc.weight' holds NaN: 1 of its 6 values are not finite");
}

TEST(RequireFinite, AVarianceBelowZeroIsRefused) {
  Net net;
  net.block->norm->running_var[1] = -1;
  EXPECT_EQ(trouble_of(net), "'block.norm.running_var' holds a variance below zero, -1");
}

TEST(Dict, SettingAKeyAgainReplacesItsValue) {
  Dict dict = {{"a", 1}, {2, "two"}};
  dict.set("a", 3);
  dict.set(2, "zwei");
  EXPECT_EQ(dict.size(), 2u);
  EXPECT_EQ(dict.at("a").get<int64_t>("a"), 3);
}

TEST(Value, AnotherKindIsAnErrorThatNamesBoth) {
  try {
    Value(Dict{}).get<int64_t>("epoch");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "'epoch' is a dict where an int should be");
  }
  EXPECT_THROW(Dict().at("epoch"), Error);
}

}  // namespace
}  // namespace lowbit::checkpoint
