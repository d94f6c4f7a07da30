#include "lowbit/graph/picture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lowbit/graph/builder.h"
#include "lowbit/graph/layout.h"

namespace lowbit::graph {
namespace {

using testing::HasSubstr;
using testing::Not;

// x -> a -> b -> c -> sum(c, a, x), and d beside b
Graph branches() {
  Builder b("branches");
  const ValueId x = b.input({2, 4, 4});
  const ValueId a = b.node("a", Relu{}, {x});
  const ValueId left = b.node("b", Relu{}, {a});
  const ValueId right = b.node("d", Relu{}, {a});
  const ValueId c = b.add("c", left, right);
  return b.finish(b.concat("sum", {c, a, x}));
}

const Box& box(const Graph& graph, const Layout& layout, const std::string& name) {
  for (const Box& each : layout.boxes)
    if (graph.value(each.value).name == name) return each;
  throw std::out_of_range(name);
}

TEST(Layout, PutsBranchesBesideEachOther) {
  const Graph graph = branches();
  const Layout layout = layout_of(graph);
  EXPECT_EQ(layout.rows, 5);
  EXPECT_EQ(layout.columns, 2);
  EXPECT_EQ(box(graph, layout, "images").row, 0);
  EXPECT_EQ(box(graph, layout, "b").row, box(graph, layout, "d").row);
  EXPECT_NE(box(graph, layout, "b").column, box(graph, layout, "d").column);
  EXPECT_EQ(box(graph, layout, "sum").row, 4);
}

TEST(Layout, LeadsLongLinesThroughLanesOfTheirOwn) {
  const Graph graph = branches();
  const Layout layout = layout_of(graph);
  std::vector<Line> longer;
  for (const Line& line : layout.lines)
    if (line.passes_rows) longer.push_back(line);
  ASSERT_EQ(longer.size(), 2u);  // a -> sum and images -> sum
  EXPECT_NE(longer[0].lane, longer[1].lane);
  EXPECT_EQ(layout.lanes, (std::vector<int>{2, 0}));
}

TEST(Picture, HasABoxForEachOperationOnFeatures) {
  Builder b("a <network>");
  ValueId x = b.input({3, 8, 8});
  x = b.convolution("conv \"<&>\"", x, {.out = 4, .kernel = {1, 3}});
  x = b.node("relu\xff", Relu{}, {x});
  const std::string svg = to_svg(b.finish(x));
  EXPECT_THAT(svg, HasSubstr("<title>a &lt;network&gt;</title>"));
  EXPECT_THAT(svg, HasSubstr(">conv \"&lt;&amp;&gt;\"</text>"));
  EXPECT_THAT(svg, HasSubstr(">convolution 1x3</text>"));
  EXPECT_THAT(svg, HasSubstr(">[4, 8, 6]</text>"));
  EXPECT_THAT(svg, HasSubstr(">relu?</text>"));
  EXPECT_THAT(svg, Not(HasSubstr("\xff")));
}

TEST(Picture, ShowsAQuantizedWeightInTheBoxThatReadsIt) {
  Builder b("quantized");
  const ValueId x = b.input({3, 8, 8});
  const ValueId weight =
      b.parameter("conv.weight", {4, 3, 1, 1}, Role::trained, {.kind = Init::Kind::kaiming_normal});
  const ValueId codes =
      b.node("conv.quant_weight",
             Quantize{.tag = config::Tag::wt,
                      .options = {.enable = true, .method = config::Method::lsq, .bit = 2},
                      .shape = {4, 3, 1, 1}},
             {weight});
  const std::string svg = to_svg(b.finish(b.node("conv", Convolution{}, {x, codes})));
  EXPECT_THAT(svg, HasSubstr(">quantize weight lsq 4 levels</text>"));
  EXPECT_THAT(svg, Not(HasSubstr(">conv.quant_weight</text>")));
}

}  // namespace
}  // namespace lowbit::graph
