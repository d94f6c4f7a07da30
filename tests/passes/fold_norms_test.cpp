#include "lowbit/passes/fold_norms.h"

#include <gmock/gmock.h>

#include "lowbit/graph/builder.h"
#include "lowbit/graph/text.h"

namespace lowbit::passes {
namespace {

using graph::Builder;
using graph::Graph;
using graph::ValueId;
using testing::HasSubstr;

Graph norm_network() {
  Builder b("before");
  ValueId x = b.input({3, 8, 8});
  x = b.convolution("conv", x, {.out = 4});
  x = b.batch_norm("bn", x, {});
  x = b.node("relu", graph::Relu{}, {x});
  x = b.global_average("pool", x);
  x = b.batch_norm("last", x, {.affine_first = true, .eps = 1e-3});
  return b.finish(x);
}

TEST(FoldNorms, MakesEachAFactorAndAShiftOfItsChannels) {
  const Graph before = norm_network();
  EXPECT_EQ(to_text(before), R"(graph before
images : [3, 8, 8]
conv : [4, 8, 8] = convolution(images, weight[4, 3, 1, 1])
bn : [4, 8, 8] = batch_norm(conv, weight, bias)
relu : [4, 8, 8] = relu(bn)
pool : [4] = mean(relu) axes 1,2
last : [4] = batch_norm(pool, weight, bias) affine_first eps 0.001
return last
)");
  const FoldedNorms after = fold_norms(before);
  EXPECT_EQ(to_text(after.graph), R"(graph before
images : [3, 8, 8]
conv : [4, 8, 8] = convolution(images, weight[4, 3, 1, 1])
bn.scaled : [4, 8, 8] = multiply(conv, bn.factor[4, 1, 1])
bn : [4, 8, 8] = add(bn.scaled, shift[4, 1, 1])
relu : [4, 8, 8] = relu(bn)
pool : [4] = mean(relu) axes 1,2
last.scaled : [4] = multiply(pool, last.factor)
last : [4] = add(last.scaled, shift)
return last
)");
  for (size_t id = 0; id < before.values.size(); ++id)
    EXPECT_EQ(after.graph.values[id].name, before.values[id].name);
}

TEST(FoldNorms, SaysWhatFactorsAndShiftsAreMadeOf) {
  const FoldedNorms after = fold_norms(norm_network());
  ASSERT_EQ(after.norms.size(), 2);
  const FoldedNorm& last = after.norms[1];
  const auto name = [&](ValueId id) { return after.graph.value(id).name; };
  EXPECT_EQ(name(last.weight), "last.weight");
  EXPECT_EQ(name(last.bias), "last.bias");
  EXPECT_EQ(name(last.mean), "last.running_mean");
  EXPECT_EQ(name(last.var), "last.running_var");
  EXPECT_EQ(name(last.factor), "last.factor");
  EXPECT_EQ(name(last.shift), "last.shift");
  EXPECT_EQ(last.eps, 1e-3);
  EXPECT_TRUE(last.affine_first);
  EXPECT_FALSE(after.norms[0].affine_first);
}

TEST(FoldNorms, TakesNamesThatNoneHas) {
  Builder b("g");
  ValueId x = b.node("bn.scaled", graph::Relu{}, {b.input({3, 8, 8})});
  x = b.add("sum", x, b.parameter("bn.factor", {1}, graph::Role::trained, {}));
  const FoldedNorms after = fold_norms(b.finish(b.batch_norm("bn", x, {})));
  EXPECT_THAT(to_text(after.graph),
              HasSubstr("bn.scaled_1 : [3, 8, 8] = multiply(sum, bn.factor_1[3, 1, 1])\n"
                        "bn : [3, 8, 8] = add(bn.scaled_1, shift[3, 1, 1])\n"));
}

TEST(FoldNorms, ChangesNothingWhereThereAreNone) {
  Builder b("g");
  const Graph graph = b.finish(b.linear("fc", b.input({4}), {.out = 2}));
  EXPECT_EQ(to_text(fold_norms(graph).graph, {.state = true}), to_text(graph, {.state = true}));
}

}  // namespace
}  // namespace lowbit::passes
