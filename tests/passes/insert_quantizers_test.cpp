#include "lowbit/passes/insert_quantizers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lowbit/core/error.h"
#include "lowbit/graph/builder.h"
#include "lowbit/graph/text.h"

namespace lowbit::passes {
namespace {

using graph::Builder;
using graph::Graph;
using graph::Precision;
using graph::ValueId;
using testing::HasSubstr;
using testing::Not;

config::QuantOptions lsq(int bit) {
  return {.enable = true, .method = config::Method::lsq, .bit = bit};
}

bool keeps_zero(const graph::Quantize& quantize) {
  return quantize.options.half_range;
}

QuantizerPlacement placement() {
  return {.batch_size = 128, .input_size = 8, .keeps_zero = keeps_zero};
}

Graph network() {
  Builder b("before");
  ValueId x = b.input({3, 8, 8});
  x = b.convolution("stem", x, {.out = 4, .precision = Precision::fixed});
  x = b.convolution("conv", x,
                    {.out = 4, .kernel = 3, .padding = {0, 1, 2, 1}, .groups = 2, .bias = true});
  x = b.convolution("skip", x, {.out = 4, .precision = Precision::full});
  x = b.global_average("pool", x);
  return b.finish(b.linear("fc", x, {.out = 2}));
}

TEST(InsertQuantizers, WritesTheGraphAnew) {
  const Graph before = network();
  EXPECT_EQ(to_text(before), R"(graph before
images : [3, 8, 8]
stem : [4, 8, 8] = convolution(images, weight[4, 3, 1, 1]) precision fixed
conv : [4, 8, 8] = convolution(stem, weight[4, 2, 3, 3], bias) padding 0,1,2,1 groups 2
skip : [4, 8, 8] = convolution(conv, weight[4, 4, 1, 1]) precision full
pool : [4] = mean(skip) axes 1,2
fc : [2] = linear(pool, weight[2, 4], bias)
return fc
)");
  const LayerQuantization all = {.fm = lsq(2), .wt = lsq(3), .ot = lsq(4)};
  const Graph after = insert_quantizers(before, {all, all, all}, placement());
  EXPECT_EQ(to_text(after, {.state = true}), R"(graph before
images : [3, 8, 8]
stem : [4, 8, 8] = convolution(images, weight[4, 3, 1, 1]) precision fixed
conv.pad : [4, 10, 10] = pad(stem) 0,1,2,1
conv.quant_activation : [4, 10, 10] = quantize(conv.pad) activation lsq 4 levels
conv.quant_weight : [4, 2, 3, 3] = quantize(conv.weight[4, 2, 3, 3]) weight lsq 8 levels
conv : [4, 8, 8] = convolution(conv.quant_activation, conv.quant_weight, bias) groups 2
conv.quant_output : [4, 8, 8] = quantize(conv) output lsq 16 levels
skip : [4, 8, 8] = convolution(conv.quant_output, weight[4, 4, 1, 1]) precision full
pool : [4] = mean(skip) axes 1,2
fc.quant_activation : [4] = quantize(pool) activation lsq 4 levels
fc.quant_weight : [2, 4] = quantize(fc.weight[2, 4]) weight lsq 8 levels
fc : [2] = linear(fc.quant_activation, fc.quant_weight, bias)
return fc
state
stem.weight [4, 3, 1, 1] = kaiming_normal
conv.weight [4, 2, 3, 3] = kaiming_normal
conv.bias [4] = 0
conv.quant_activation : quantize
conv.quant_weight : quantize
conv.quant_output : quantize
skip.weight [4, 4, 1, 1] = kaiming_normal
fc.weight [2, 4] = uniform 0.5
fc.bias [2] = uniform 0.5
fc.quant_activation : quantize
fc.quant_weight : quantize
)");
}

const graph::Quantize& quantizer(const Graph& graph, const std::string& name) {
  for (const graph::Node& node : graph.nodes)
    if (graph.name_of(node) == name) return std::get<graph::Quantize>(node.operation);
  throw std::out_of_range(name);
}

TEST(InsertQuantizers, SaysWhatGroupsAreDefinedBy) {
  const LayerQuantization all = {.fm = lsq(2), .wt = lsq(2), .ot = lsq(2)};
  const Graph graph = insert_quantizers(network(), {all, all, all}, placement());
  using Shape = std::array<int64_t, 4>;
  EXPECT_EQ(quantizer(graph, "conv.quant_activation").shape, (Shape{1, 4, 1, 1}));
  // The whole input width, though the groups see half of it each.
  EXPECT_EQ(quantizer(graph, "conv.quant_weight").shape, (Shape{4, 4, 3, 3}));
  EXPECT_EQ(quantizer(graph, "conv.quant_output").shape, (Shape{1, 4, 1, 1}));
  EXPECT_EQ(quantizer(graph, "fc.quant_activation").shape, (Shape{1, 4, 1, 1}));
  EXPECT_EQ(quantizer(graph, "fc.quant_weight").shape, (Shape{1, 1, 2, 4}));
  EXPECT_EQ(quantizer(graph, "conv.quant_weight").batch_size, 128);
  EXPECT_EQ(quantizer(graph, "conv.quant_weight").input_size, 8);
}

TEST(InsertQuantizers, PadsBehindQuantizersThatKeepZero) {
  LayerQuantization layer = {.fm = lsq(2), .wt = {}, .ot = {}};
  layer.fm.half_range = true;
  const std::string keeps = to_text(insert_quantizers(network(), {layer, {}, {}}, placement()));
  EXPECT_THAT(keeps, Not(HasSubstr("conv.pad")));
  EXPECT_THAT(keeps, HasSubstr("bias) padding 0,1,2,1 groups 2"));
  layer.fm.half_range = false;
  QuantizerPlacement after = placement();
  after.padding_after_quant = true;
  EXPECT_THAT(to_text(insert_quantizers(network(), {layer, {}, {}}, after)),
              Not(HasSubstr("conv.pad")));
}

TEST(InsertQuantizers, ChangesNothingWhereNothingIsEnabled) {
  const std::vector<LayerQuantization> none(3);
  EXPECT_EQ(to_text(insert_quantizers(network(), none, placement())), to_text(network()));
}

TEST(InsertQuantizers, QuantizesTheOutputOfTheNetwork) {
  Builder b("g");
  const Graph graph = b.finish(b.convolution("conv", b.input({3, 8, 8}), {.out = 4}));
  const Graph after = insert_quantizers(graph, {{.fm = {}, .wt = {}, .ot = lsq(2)}}, placement());
  EXPECT_THAT(to_text(after), HasSubstr("return conv.quant_output"));
}

TEST(InsertQuantizers, NamesWhatCannotBe) {
  EXPECT_THROW(insert_quantizers(network(), {}, placement()), core::Error);
  LayerQuantization layer = {.fm = {}, .wt = lsq(2), .ot = {}};
  layer.wt.method = config::Method::xnor;
  try {
    insert_quantizers(network(), {layer, {}, {}}, placement());
    FAIL();
  } catch (const core::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("'conv.quant_weight' (quantize): xnor has 2 levels"));
  }
}

}  // namespace
}  // namespace lowbit::passes
