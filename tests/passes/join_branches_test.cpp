#include "lowbit/passes/join_branches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lowbit/graph/builder.h"
#include "lowbit/graph/text.h"
#include "lowbit/passes/insert_quantizers.h"

namespace lowbit::passes {
namespace {

using graph::Builder;
using graph::Graph;
using graph::ValueId;
using testing::ElementsAre;

bool is_dorefa(const graph::Quantize& quantize) {
  return quantize.options.method == config::Method::dorefa;
}

// Two branches of convolution, norm, sum with the shortcut and ReLU.
Graph network(config::Method method) {
  Builder b("two");
  const ValueId x = b.input({4, 8, 8});
  ValueId sum{};
  for (int k = 0; k < 2; ++k) {
    const std::string branch = "." + std::to_string(k);
    ValueId y = b.convolution("conv" + branch, x, {.out = 4, .kernel = 3, .padding = 1});
    y = b.batch_norm("bn" + branch, y, {});
    y = b.node("relu" + branch, graph::Relu{}, {b.add("add" + branch, y, x)});
    const ValueId scale = b.parameter("scales" + branch, {1}, graph::Role::trained, {.value = 0.5});
    const ValueId scaled = b.multiply("scale" + branch, y, scale);
    sum = k == 0 ? scaled : b.add("sum" + branch, sum, scaled);
  }
  sum = b.convolution("last", sum, {.out = 3, .precision = graph::Precision::fixed});
  const config::QuantOptions quant = {.enable = true, .method = method, .bit = 2};
  return insert_quantizers(b.finish(sum), {{quant, quant, {}}, {quant, quant, {}}},
                           {.keeps_zero = [](const auto&) { return true; }});
}

TEST(JoinBranches, MakesOneBranchOfThem) {
  const Graph before = network(config::Method::dorefa);
  EXPECT_EQ(to_text(before), R"(graph two
images : [4, 8, 8]
conv.0.quant_activation : [4, 8, 8] = quantize(images) activation dorefa 4 levels
conv.0.quant_weight : [4, 4, 3, 3] = quantize(conv.0.weight[4, 4, 3, 3]) weight dorefa 4 levels
conv.0 : [4, 8, 8] = convolution(conv.0.quant_activation, conv.0.quant_weight) padding 1
bn.0 : [4, 8, 8] = batch_norm(conv.0, weight, bias)
add.0 : [4, 8, 8] = add(bn.0, images)
relu.0 : [4, 8, 8] = relu(add.0)
scale.0 : [4, 8, 8] = multiply(relu.0, scales.0)
conv.1.quant_activation : [4, 8, 8] = quantize(images) activation dorefa 4 levels
conv.1.quant_weight : [4, 4, 3, 3] = quantize(conv.1.weight[4, 4, 3, 3]) weight dorefa 4 levels
conv.1 : [4, 8, 8] = convolution(conv.1.quant_activation, conv.1.quant_weight) padding 1
bn.1 : [4, 8, 8] = batch_norm(conv.1, weight, bias)
add.1 : [4, 8, 8] = add(bn.1, images)
relu.1 : [4, 8, 8] = relu(add.1)
scale.1 : [4, 8, 8] = multiply(relu.1, scales.1)
sum.1 : [4, 8, 8] = add(scale.0, scale.1)
last : [3, 8, 8] = convolution(sum.1, weight[3, 4, 1, 1]) precision fixed
return last
)");
  const JoinedBranches joined = join_branches(before, is_dorefa);
  EXPECT_EQ(to_text(joined.graph, {.state = true}), R"(graph two
images : [4, 8, 8]
conv.0.quant_weight : [4, 4, 3, 3] = quantize(conv.0.weight[4, 4, 3, 3]) weight dorefa 4 levels
conv.1.quant_weight : [4, 4, 3, 3] = quantize(conv.1.weight[4, 4, 3, 3]) weight dorefa 4 levels
conv.0.quant_activation : [4, 8, 8] = quantize(images) activation dorefa 4 levels
conv.quant_weight : [8, 4, 3, 3] = concat(conv.0.quant_weight, conv.1.quant_weight) axis 0
conv : [8, 8, 8] = convolution(conv.0.quant_activation, conv.quant_weight) padding 1
bn : [8, 8, 8] = batch_norm(conv, weight, bias)
add.repeated : [8, 8, 8] = concat(images, images) axis 0
add : [8, 8, 8] = add(bn, add.repeated)
relu : [8, 8, 8] = relu(add)
sum.1 : [4, 8, 8] = scaled_sum(relu, scales)
last : [3, 8, 8] = convolution(sum.1, weight[3, 4, 1, 1]) precision fixed
return last
state
scales [2] = 0.5
conv.0.weight [4, 4, 3, 3] = kaiming_normal
conv.0.quant_activation : quantize
conv.0.quant_weight : quantize
conv.1.weight [4, 4, 3, 3] = kaiming_normal
conv.1.quant_weight : quantize
bn.weight [8] = 1
bn.bias [8] = 0
bn.running_mean [8] = 0 statistics
bn.running_var [8] = 1 statistics
last.weight [3, 4, 1, 1] = kaiming_normal
)");
  std::vector<std::string> parameters;
  for (const JoinedParameter& each : joined.parameters) {
    EXPECT_THAT(each.parts, ElementsAre(testing::HasSubstr(".0"), testing::HasSubstr(".1")));
    parameters.push_back(each.name);
  }
  EXPECT_THAT(parameters,
              ElementsAre("bn.weight", "bn.bias", "bn.running_mean", "bn.running_var", "scales"));
  const JoinedPart& part = joined.parts.at("relu.1");
  EXPECT_EQ(part.value, "relu");
  EXPECT_EQ(part.begin, 4);
  EXPECT_EQ(part.channels, 4);
  EXPECT_EQ(joined.parts.at("conv.1.quant_activation").channels, 0) << "what all branches share";
}

TEST(JoinBranches, LeavesBranchesThatLearnForThemselves) {
  const Graph before = network(config::Method::lsq);
  const JoinedBranches joined = join_branches(before, is_dorefa);
  EXPECT_EQ(to_text(joined.graph), to_text(before));
  EXPECT_TRUE(joined.parts.empty());
}

// Changes the only node of that name.
Graph changed(Graph graph, const std::string& name,
              const std::function<void(graph::Node&)>& change) {
  for (graph::Node& node : graph.nodes)
    if (graph.name_of(node) == name) change(node);
  return graph;
}

TEST(JoinBranches, LeavesBranchesThatDiffer) {
  const Graph before = network(config::Method::dorefa);
  for (const Graph& other :
       {changed(before, "relu.1", [](graph::Node& node) { node.operation = graph::LeakyRelu{}; }),
        changed(
            before, "conv.1.quant_activation",
            [](graph::Node& node) { std::get<graph::Quantize>(node.operation).options.bit = 3; }),
        changed(before, "bn.1",
                [](graph::Node& node) {
                  std::get<graph::BatchNorm>(node.operation).fixed_statistics = true;
                }),
        // Read by another, too.
        changed(before, "last", [&](graph::Node& node) {
          for (const graph::Node& inner : before.nodes)
            if (before.name_of(inner) == "relu.0") node.inputs[0] = inner.output;
        })})
    EXPECT_EQ(to_text(join_branches(other, is_dorefa).graph), to_text(other));
}

}  // namespace
}  // namespace lowbit::passes
