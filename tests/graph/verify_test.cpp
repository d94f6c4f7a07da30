// Graphs that are none, in every way, and the name that the error gives.
#include "lowbit/graph/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "lowbit/core/error.h"
#include "lowbit/graph/builder.h"

namespace lowbit::graph {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// images -> conv -> bn -> relu
Graph good_graph() {
  Builder b("g");
  ValueId x = b.input({3, 8, 6});
  x = b.convolution("conv", x, {.out = 4, .kernel = 3, .padding = 1});
  x = b.batch_norm("bn", x, {});
  return b.finish(b.node("relu", Relu{}, {x}));
}

ValueId id_of(const Graph& graph, const std::string& name) {
  for (size_t i = 0; i < graph.values.size(); ++i)
    if (graph.values[i].name == name) return static_cast<ValueId>(i);
  throw std::out_of_range(name);
}

std::string error_of(const Graph& graph) {
  try {
    verify(graph);
  } catch (const core::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("graph 'g': "));
    return error.what();
  }
  return "no error";
}

// The error after a change of the good graph.
std::string error_after(const std::function<void(Graph&)>& change) {
  Graph graph = good_graph();
  change(graph);
  return error_of(graph);
}

constexpr auto kNowhere = static_cast<ValueId>(1000);

TEST(Verify, AcceptsAGraph) {
  EXPECT_EQ(error_of(good_graph()), "no error");
}

TEST(Verify, FindsIdsOfNoValue) {
  EXPECT_THAT(error_after([](Graph& g) { g.input = kNowhere; }),
              HasSubstr("its input is no value"));
  EXPECT_THAT(error_after([](Graph& g) { g.output = static_cast<ValueId>(-1); }),
              HasSubstr("its output is no value"));
  EXPECT_THAT(error_after([](Graph& g) { g.nodes[1].inputs[0] = kNowhere; }),
              HasSubstr("node 'bn' reads a value that is none"));
  EXPECT_THAT(error_after([](Graph& g) { g.nodes[1].output = kNowhere; }),
              HasSubstr("node 1 has no output"));
  EXPECT_THAT(error_after([](Graph& g) { g.parameters[0].value = kNowhere; }),
              HasSubstr("a parameter is no value"));
  EXPECT_THAT(error_after([](Graph& g) { g.state[0] = kNowhere; }),
              HasSubstr("an entry of the state is no value"));
}

TEST(Verify, WantsOneDefinitionOfEachValue) {
  EXPECT_THAT(error_after([](Graph& g) { g.nodes[2].output = g.nodes[1].output; }),
              HasSubstr("'bn' is defined twice"));
  EXPECT_THAT(error_after([](Graph& g) { g.nodes[2].output = g.input; }),
              HasSubstr("'images' is defined twice"));
  EXPECT_THAT(error_after([](Graph& g) { g.parameters.push_back(g.parameters[0]); }),
              HasSubstr("parameter 'conv.weight' is defined twice"));
  EXPECT_THAT(error_after([](Graph& g) { g.nodes.pop_back(); }),
              HasSubstr("nothing computes the value 'relu'"));
}

TEST(Verify, WantsNodesBehindWhatTheyRead) {
  EXPECT_THAT(error_after([](Graph& g) { std::swap(g.nodes[0], g.nodes[1]); }),
              HasSubstr("node 'bn' reads 'conv', which is not computed before it"));
  EXPECT_THAT(error_after([](Graph& g) { g.nodes[2].inputs[0] = g.nodes[2].output; }),
              HasSubstr("node 'relu' reads 'relu'"));
}

TEST(Verify, WantsTheTypesThatAreInferred) {
  EXPECT_THAT(error_after([](Graph& g) {
                g.value(id_of(g, "relu")).type.dims = {4, 8, 8};
              }),
              HasSubstr("node 'relu' gives [4, 8, 6], its value is stated as [4, 8, 8]"));
  EXPECT_THAT(error_after([](Graph& g) { g.value(id_of(g, "relu")).type.batched = false; }),
              HasSubstr("node 'relu' is stated as a parameter"));
  EXPECT_THAT(error_after([](Graph& g) { g.nodes[0].operation = Convolution{.groups = 3}; }),
              HasSubstr("node 'conv' (convolution): 3 groups do not divide"));
  EXPECT_THAT(error_after([](Graph& g) {
                g.nodes[1].inputs.pop_back();
                g.nodes[1].inputs.pop_back();
              }),
              HasSubstr("node 'bn' (batch_norm): it has 4 inputs, not 5 to 6"));
}

TEST(Verify, WantsFeaturesToComeInAndGoOut) {
  EXPECT_THAT(error_after([](Graph& g) { g.value(g.input).type.batched = false; }),
              HasSubstr("its input 'images' is not batched"));
  EXPECT_THAT(error_after([](Graph& g) { g.output = id_of(g, "conv.weight"); }),
              HasSubstr("its output 'conv.weight' is a parameter"));
}

TEST(Verify, WantsSizesWithinBounds) {
  EXPECT_THAT(error_after([](Graph& g) {
                g.value(g.input).type.dims = {3, 0, 6};
              }),
              HasSubstr("input 'images': size 0 of [3, 0, 6]"));
  EXPECT_THAT(
      error_after([](Graph& g) {
        g.value(id_of(g, "conv.weight")).type.dims = {kMaxSize, kMaxSize, kMaxSize, kMaxSize};
      }),
      AllOf(HasSubstr("parameter 'conv.weight'"), HasSubstr("elements")));
  EXPECT_THAT(error_after([](Graph& g) { g.value(id_of(g, "conv.weight")).type.dims[0] = -4; }),
              HasSubstr("parameter 'conv.weight': size -4"));
}

TEST(Verify, WantsParametersThatSuitTheirRoles) {
  EXPECT_THAT(error_after([](Graph& g) { g.value(id_of(g, "bn.weight")).type.batched = true; }),
              HasSubstr("parameter 'bn.weight' is batched"));
  EXPECT_THAT(
      error_after([](Graph& g) { g.value(id_of(g, "bn.num_batches_tracked")).type.dims = {4}; }),
      HasSubstr("counter 'bn.num_batches_tracked' is [4], not a scalar"));
  EXPECT_THAT(error_after([](Graph& g) { g.parameters[1].init.kind = Init::Kind::kaiming_normal; }),
              HasSubstr("parameter 'bn.weight' is [4]: a Kaiming-normal start"));
}

TEST(Verify, WantsNamesThatAreUniqueAndPrintable) {
  const auto renamed = [](const std::string& name) {
    return error_after([&](Graph& g) { g.value(id_of(g, "relu")).name = name; });
  };
  EXPECT_THAT(renamed("bn"), HasSubstr("there are two values 'bn'"));
  EXPECT_THAT(renamed(""), HasSubstr("a value has no name"));
  EXPECT_THAT(renamed("re\nlu"), HasSubstr("control characters"));
  EXPECT_THAT(renamed(std::string(5000, 'x')), HasSubstr("has 5000 characters"));
  EXPECT_EQ(renamed("any other / name"), "no error");
}

TEST(Verify, WantsNamesThatCheckpointsCanHold) {
  const auto renamed = [](const std::string& name) {
    return error_after([&](Graph& g) { g.value(id_of(g, "conv.weight")).name = name; });
  };
  for (const char* name : {"conv..weight", ".weight", "conv."})
    EXPECT_THAT(renamed(name), HasSubstr("has an empty part"));
  EXPECT_THAT(renamed("bn"), HasSubstr("there are two values 'bn'"));
  EXPECT_THAT(renamed("bn.weight.0"), HasSubstr("'bn.weight' is both a parameter and a module"));
}

TEST(Verify, WantsTheWholeStateInTheOrderOfModules) {
  EXPECT_THAT(error_after([](Graph& g) { g.state.pop_back(); }),
              HasSubstr("'bn.num_batches_tracked' is not in the state"));
  EXPECT_THAT(error_after([](Graph& g) { g.state.push_back(g.state[0]); }),
              HasSubstr("'conv.weight' is in the state twice"));
  EXPECT_THAT(error_after([](Graph& g) { g.state.push_back(g.output); }),
              HasSubstr("'relu' is in the state twice, or has none"));
  EXPECT_THAT(error_after([](Graph& g) { std::swap(g.state[1], g.state[3]); }),
              HasSubstr("the state has 'bn.running_mean' where nested modules have 'bn.bias'"));
  EXPECT_THAT(error_after([](Graph& g) { std::swap(g.state[0], g.state[1]); }),
              HasSubstr("the state has 'conv.weight' where nested modules have 'bn.bias'"));
}

TEST(Verify, TakesDeepNamesAndLongChains) {
  Builder b("g");
  ValueId x = b.input({1});
  for (int i = 0; i < 2000; ++i) x = b.node("n" + std::to_string(i), Relu{}, {x});
  std::string deep = "p";
  while (deep.size() + 2 < kMaxName) deep += ".p";
  const ValueId parameter = b.parameter(deep, {1}, Role::trained, {});
  EXPECT_EQ(error_of(b.finish(b.add("sum", x, parameter))), "no error");
}

}  // namespace
}  // namespace lowbit::graph
