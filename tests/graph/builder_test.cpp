// Graphs as the builder makes them, as text.
#include "lowbit/graph/builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lowbit/core/error.h"
#include "lowbit/graph/text.h"

namespace lowbit::graph {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> state_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const ValueId id : graph.state) names.push_back(graph.value(id).name);
  return names;
}

// A residual network of one block, which downsamples.
Graph small_network() {
  Builder b("small");
  ValueId x = b.input({3, 12, 8});
  x = b.convolution("conv1", x,
                    {.out = 4, .kernel = 3, .padding = 1, .precision = Precision::fixed});
  {
    const auto block = b.scope("layer1.0");
    b.children({"bn1", "skip", "conv1"});
    ValueId y = b.convolution("conv1", x, {.out = 8, .kernel = 3, .stride = 2, .padding = 1});
    y = b.batch_norm("bn1", y, {});
    const ValueId skip =
        b.convolution("skip.0", x, {.out = 8, .stride = 2, .precision = Precision::full});
    x = b.prelu("act", b.add("add", y, skip));
  }
  return b.finish(b.linear("fc", b.global_average("pool", x), {.out = 10}));
}

TEST(GraphText, HasALineForEachNode) {
  EXPECT_EQ(to_text(small_network()), R"(graph small
images : [3, 12, 8]
conv1 : [4, 12, 8] = convolution(images, weight[4, 3, 3, 3]) padding 1 precision fixed
layer1.0.conv1 : [8, 6, 4] = convolution(conv1, weight[8, 4, 3, 3]) stride 2 padding 1
layer1.0.bn1 : [8, 6, 4] = batch_norm(layer1.0.conv1, weight, bias)
layer1.0.skip.0 : [8, 6, 4] = convolution(conv1, weight[8, 4, 1, 1]) stride 2 precision full
layer1.0.add : [8, 6, 4] = add(layer1.0.bn1, layer1.0.skip.0)
layer1.0.act : [8, 6, 4] = prelu(layer1.0.add, weight)
pool : [8] = mean(layer1.0.act) axes 1,2
fc : [10] = linear(pool, weight[10, 8], bias)
return fc
)");
}

TEST(GraphText, ListsTheStateOnDemand) {
  const std::string text = to_text(small_network(), {.state = true});
  EXPECT_EQ(text.substr(text.find("state\n")), R"(state
conv1.weight [4, 3, 3, 3] = kaiming_normal
layer1.0.bn1.weight [8] = 1
layer1.0.bn1.bias [8] = 0
layer1.0.bn1.running_mean [8] = 0 statistics
layer1.0.bn1.running_var [8] = 1 statistics
layer1.0.bn1.num_batches_tracked [] = 0 counter
layer1.0.skip.0.weight [8, 4, 1, 1] = kaiming_normal
layer1.0.conv1.weight [8, 4, 3, 3] = kaiming_normal
layer1.0.act.weight [1] = 0.25
fc.weight [10, 8] = uniform 0.353553
fc.bias [10] = uniform 0.353553
)");
}

TEST(GraphText, SaysEveryAttributeThatIsNotTheDefault) {
  Builder b("attributes");
  ValueId x = b.input({4, 8, 8});
  x = b.convolution("conv", x,
                    {.out = 4,
                     .kernel = {1, 3},
                     .stride = {1, 2},
                     .padding = {0, 1, 0, 2},
                     .dilation = {1, 2},
                     .groups = 2,
                     .bias = true});
  x = b.batch_norm("bn", x,
                   {.fixed_statistics = true, .affine_first = true, .eps = 1e-3, .momentum = 0.5});
  x = b.group_norm("gn", x, {.groups = 2});
  x = b.node("in", InstanceNorm{}, {x});
  x = b.node("clip", Clip{.low = 0, .high = 6}, {x});
  x = b.node("leaky", LeakyRelu{.slope = 0.125}, {x});
  x = b.node("max", Pool{.kernel = 3, .stride = 2, .padding = 1, .ceil = true}, {x});
  x = b.node("average",
             Pool{.kind = Pool::Kind::average, .kernel = 1, .stride = 1, .count_padding = false},
             {x});
  x = b.node("slice", Slice{.axis = 0, .begin = 0, .end = 4, .step = 2}, {x});
  x = b.repeat_channels("repeat", x, 2);
  x = b.node("transpose", Transpose{{0, 2, 1}}, {x});
  x = b.node("depth", DepthToSpace{.cell = 2}, {x});
  x = b.node("pad", Pad{.padding = {1, 2, 3, 4}, .value = 0.5}, {x});
  x = b.node("minus", Binary{Arithmetic::subtract}, {x, x});
  x = b.node("widen", Widen{}, {x});
  x = b.flatten("flat", x);
  EXPECT_EQ(to_text(b.finish(x)), R"(graph attributes
images : [4, 8, 8]
conv : [4, 8, 4] = convolution(images, weight[4, 2, 1, 3], bias) stride 1x2 padding 0,1,0,2 dilation 1x2 groups 2
bn : [4, 8, 4] = batch_norm(conv, weight, bias) fixed_statistics affine_first eps 0.001 momentum 0.5
gn : [4, 8, 4] = group_norm(bn, weight, bias) groups 2
in : [4, 8, 4] = instance_norm(gn)
clip : [4, 8, 4] = clip(in) 0..6
leaky : [4, 8, 4] = leaky_relu(clip) slope 0.125
max : [4, 5, 3] = pool(leaky) max kernel 3x3 stride 2 padding 1 ceil
average : [4, 5, 3] = pool(max) average kernel 1x1 stride 1 count_padding false
slice : [2, 5, 3] = slice(average) axis 0 from 0 to 4 step 2
repeat : [4, 5, 3] = concat(slice, slice) axis 0
transpose : [4, 3, 5] = transpose(repeat) 0,2,1
depth : [1, 6, 10] = depth_to_space(transpose) cell 2
pad : [1, 10, 16] = pad(depth) 1,2,3,4 value 0.5
minus : [1, 10, 16] = subtract(pad, pad)
widen : [1, 10, 16] = widen(minus)
flat : [160] = reshape(widen)
return flat
)");
}

TEST(Builder, OrdersTheStateAsNestedModules) {
  Builder b("nested");
  ValueId x = b.input({2, 4, 4});
  b.children({"late", "early"});
  x = b.convolution("early.0", x, {.out = 2});
  x = b.convolution("late.conv", x, {.out = 2});
  x = b.convolution("early.1", x, {.out = 2});
  // The root's own parameter comes before all of them.
  const ValueId scale = b.parameter("scale", {1}, Role::trained, {.value = 1});
  EXPECT_THAT(state_names(b.finish(b.multiply("scaled", x, scale))),
              ElementsAre("scale", "late.conv.weight", "early.0.weight", "early.1.weight"));
}

TEST(Builder, KeepsLayersThatNeverRun) {
  Builder b("unused");
  const ValueId x = b.input({2, 4, 4});
  b.batch_norm_parameters("bn", 2, {.role = Role::frozen});
  const Graph graph = b.finish(b.node("relu", Relu{}, {x}));
  EXPECT_EQ(graph.state.size(), 5u);
  EXPECT_EQ(graph.parameter_of(graph.state[0])->role, Role::frozen);
}

TEST(Builder, NamesTheNodeThatDoesNotFit) {
  Builder b("wrong");
  const ValueId x = b.input({3, 8, 8});
  const auto block = b.scope("layer1.0");
  try {
    b.convolution("conv1", x, {.out = 4, .kernel = 9});
    FAIL();
  } catch (const core::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("node 'layer1.0.conv1' (convolution): its window is 9"));
  }
}

TEST(Builder, RefusesANameThatIsTaken) {
  Builder b("twice");
  const ValueId x = b.input({3, 8, 8});
  b.node("relu", Relu{}, {x});
  EXPECT_THROW(b.node("relu", Relu{}, {x}), core::Error);
  EXPECT_EQ(b.unused_name("relu"), "relu_1");
  b.node("relu_1", Relu{}, {x});
  EXPECT_EQ(b.unused_name("relu"), "relu_2");
}

TEST(QuantizableLayers, ComeInTheOrderOfTheState) {
  Builder b("policies");
  ValueId x = b.input({3, 8, 8});
  b.children({"second", "first"});
  x = b.convolution("stem", x, {.out = 4, .precision = Precision::fixed});
  x = b.convolution("first", x, {.out = 4});
  x = b.convolution("second", x, {.out = 4, .precision = Precision::full});
  const Graph graph = b.finish(b.linear("fc", b.global_average("pool", x), {.out = 2}));
  std::vector<std::string> names;
  for (const size_t node : quantizable_layers(graph))
    names.push_back(graph.name_of(graph.nodes[node]));
  EXPECT_THAT(names, ElementsAre("second", "first", "fc"));
}

}  // namespace
}  // namespace lowbit::graph
