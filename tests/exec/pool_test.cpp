#include <gtest/gtest.h>

#include "layers.h"

namespace lowbit::exec {
namespace {

// 1 2 3 4 / 5 6 7 8 / 9 .. 16
torch::Tensor counted() {
  return torch::arange(1, 17, torch::kFloat64).view({1, 1, 4, 4});
}

std::vector<double> values(const torch::Tensor& y) {
  const torch::Tensor flat = y.contiguous();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

std::vector<double> pooled(const graph::Pool& pool, const torch::Tensor& x) {
  GraphModule module(layer_graph({1, 4, 4}, [&](graph::Builder& b, graph::ValueId features) {
    return b.node("pool", pool, {features});
  }));
  return values(module.forward(x));
}

constexpr auto kAverage = graph::Pool::Kind::average;

TEST(AveragePool, TakesCellsSideBySideAndDropsARest) {
  EXPECT_EQ(pooled({.kind = kAverage}, counted()), (std::vector<double>{3.5, 5.5, 11.5, 13.5}));
  EXPECT_EQ(pooled({.kind = kAverage, .kernel = 3, .stride = 3}, counted()),
            (std::vector<double>{6}));
}

TEST(AveragePool, CountsPaddedZeros) {
  EXPECT_EQ(pooled({.kind = kAverage, .kernel = 3, .stride = 2, .padding = 1}, 9 * counted()),
            (std::vector<double>{14, 30, 57, 99}));
}

TEST(MaxPool, InCeilModeGivesTheBorderAnIncompleteWindow) {
  EXPECT_EQ(pooled({.kernel = 3, .stride = 2}, counted()), (std::vector<double>{11}));
  EXPECT_EQ(pooled({.kernel = 3, .stride = 2, .ceil = true}, counted()),
            (std::vector<double>{11, 12, 15, 16}));
}

TEST(MaxPool, PadsWithWhatIsNeverTheLargest) {
  EXPECT_EQ(pooled({.kernel = 3, .stride = 2, .padding = 1}, counted() - 20),
            (std::vector<double>{-14, -12, -6, -4}));
}

}  // namespace
}  // namespace lowbit::exec
