// Graphs with random faults: verify() refuses them with its own kind of error or, where they are
// graphs nevertheless, everything that reads a graph takes them.
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "lowbit/core/error.h"
#include "lowbit/graph/builder.h"
#include "lowbit/graph/picture.h"
#include "lowbit/graph/text.h"
#include "lowbit/graph/verify.h"

namespace lowbit::graph {
namespace {

// Every operation once.
Graph all_operations() {
  Builder b("all");
  ValueId x = b.input({4, 8, 8});
  const ValueId weight =
      b.parameter("conv.weight", {4, 2, 3, 3}, Role::trained, {.kind = Init::Kind::kaiming_normal});
  const config::QuantOptions lsq = {.enable = true, .method = config::Method::lsq, .bit = 2};
  const ValueId codes =
      b.node("conv.quant_weight",
             Quantize{.tag = config::Tag::wt, .options = lsq, .shape = {4, 4, 3, 3}}, {weight});
  const ValueId input =
      b.node("conv.quant_activation",
             Quantize{.tag = config::Tag::fm, .options = lsq, .shape = {1, 4, 1, 1}}, {x});
  x = b.node("conv", Convolution{.padding = 1, .groups = 2}, {input, codes});
  x = b.batch_norm("bn", x, {});
  x = b.group_norm("gn", x, {.groups = 2});
  x = b.node("in", InstanceNorm{}, {x});
  const ValueId skip = x;
  x = b.node("relu", Relu{}, {x});
  x = b.node("clip", Clip{}, {x});
  x = b.node("leaky", LeakyRelu{}, {x});
  x = b.add("sum", b.prelu("prelu", x), skip);
  x = b.node("pool", Pool{.kernel = 3, .stride = 2, .padding = 1, .ceil = true}, {x});
  x = b.node("slice", Slice{.axis = 0, .begin = 0, .end = 4, .step = 2}, {x});
  x = b.repeat_channels("repeat", x, 2);
  x = b.node("transpose", Transpose{{0, 2, 1}}, {x});
  x = b.node("depth", DepthToSpace{.cell = 2}, {x});
  x = b.node("cells", SpaceToDepth{.cell = 2}, {x});
  x = b.node("pad", Pad{.padding = {1, 2, 3, 4}}, {x});
  x = b.global_average("average", x);
  x = b.flatten("flat", b.node("widen", Widen{}, {x}));
  return b.finish(b.linear("fc", x, {.out = 3}));
}

class Faults {
 public:
  explicit Faults(uint32_t seed) : random_(seed) {}

  void change(Graph& graph) {
    switch (below(9)) {
      case 0:
        return change_sizes(any(graph.values).type.dims);
      case 1:
        return change_id(graph, any(any(graph.nodes).inputs));
      case 2:
        return change_id(graph, any(graph.nodes).output);
      case 3:
        return change_id(graph, any(graph.state));
      case 4:
        return std::swap(any(graph.nodes), any(graph.nodes));
      case 5:
        any(graph.nodes).operation = any(graph.nodes).operation;
        return;
      case 6:
        any(graph.values).name = any(graph.values).name;
        return;
      case 7:
        any(graph.parameters).role = static_cast<Role>(below(4));
        return;
      default:
        std::visit([this](auto& op) { change_attribute(op); }, any(graph.nodes).operation);
    }
  }

 private:
  size_t below(size_t count) { return random_() % count; }
  template <class T>
  T& any(std::vector<T>& items) {
    return items[below(items.size())];
  }

  int64_t number() {
    constexpr int64_t kNumbers[] = {0,
                                    1,
                                    2,
                                    3,
                                    4,
                                    7,
                                    -1,
                                    kMaxSize,
                                    kMaxSize + 1,
                                    std::numeric_limits<int64_t>::max(),
                                    std::numeric_limits<int64_t>::min()};
    return kNumbers[below(std::size(kNumbers))];
  }

  void change_sizes(std::vector<int64_t>& sizes) {
    if (sizes.empty() || below(4) == 0)
      sizes.push_back(number());
    else if (below(4) == 0)
      sizes.pop_back();
    else
      any(sizes) = number();
  }

  void change_id(const Graph& graph, ValueId& id) {
    id = static_cast<ValueId>(static_cast<int32_t>(below(graph.values.size() + 4)) - 2);
  }

  void change(Size2& size) { (below(2) ? size.height : size.width) = number(); }
  void change(Padding& p) { (below(2) ? p.top : p.right) = number(); }

  void change_attribute(Convolution& op) {
    if (below(2)) return change(below(2) ? op.stride : op.dilation);
    if (below(2)) return change(op.padding);
    op.groups = number();
  }
  void change_attribute(Pool& op) {
    if (below(2)) return change(below(2) ? op.stride : op.dilation);
    if (below(2)) return change(op.padding);
    change(op.kernel);
  }
  void change_attribute(GroupNorm& op) { op.groups = number(); }
  void change_attribute(Concat& op) { op.axis = number(); }
  void change_attribute(Slice& op) {
    (below(2) ? (below(2) ? op.axis : op.begin) : (below(2) ? op.end : op.step)) = number();
  }
  void change_attribute(Mean& op) { change_sizes(op.axes); }
  void change_attribute(Reshape& op) { change_sizes(op.dims); }
  void change_attribute(Transpose& op) { change_sizes(op.permutation); }
  void change_attribute(SpaceToDepth& op) { op.cell = number(); }
  void change_attribute(DepthToSpace& op) { op.cell = number(); }
  void change_attribute(Pad& op) { change(op.padding); }
  void change_attribute(Quantize& op) {
    if (below(2))
      op.shape[below(4)] = number();
    else
      op.options.level = static_cast<int>(number());
  }
  template <class Op>
  void change_attribute(Op&) {}

  std::mt19937 random_;
};

TEST(RandomGraphs, AreRefusedOrCanBeRead) {
  const Graph good = all_operations();
  int refused = 0, read = 0;
  for (uint32_t seed = 0; seed < 4000; ++seed) {
    Graph graph = good;
    Faults faults(seed);
    for (uint32_t i = 0; i <= seed % 3; ++i) faults.change(graph);
    try {
      verify(graph);
    } catch (const core::Error&) {
      ++refused;
      continue;
    }
    ++read;
    EXPECT_FALSE(to_text(graph, {.state = true}).empty()) << seed;
    EXPECT_FALSE(to_svg(graph).empty()) << seed;
    EXPECT_LE(quantizable_layers(graph).size(), 2u) << seed;
  }
  EXPECT_GT(refused, 1000);
  EXPECT_GT(read, 100);
}

}  // namespace
}  // namespace lowbit::graph
