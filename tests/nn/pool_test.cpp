#include "lowbit/nn/pool.h"

#include <gtest/gtest.h>

namespace lowbit::nn {
namespace {

// 1 2 3 4 / 5 6 7 8 / 9 .. 16
torch::Tensor counted() {
  return torch::arange(1, 17, torch::kFloat64).view({1, 1, 4, 4});
}

std::vector<double> values(const torch::Tensor& y) {
  const torch::Tensor flat = y.contiguous();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

TEST(AveragePool, TakesCellsSideBySideAndDropsARest) {
  EXPECT_EQ(values(AveragePool(2).forward(counted())), (std::vector<double>{3.5, 5.5, 11.5, 13.5}));
  EXPECT_EQ(values(AveragePool(3).forward(counted())), (std::vector<double>{6}));
}

TEST(AveragePool, CountsPaddedZeros) {
  EXPECT_EQ(values(AveragePool(3, 2, 1).forward(9 * counted())),
            (std::vector<double>{14, 30, 57, 99}));
}

TEST(MaxPool, InCeilModeGivesTheBorderWindowsOfItsOwn) {
  EXPECT_EQ(values(MaxPool(3, 2, 0).forward(counted())), (std::vector<double>{11}));
  EXPECT_EQ(values(MaxPool(3, 2, 0, /*ceil=*/true).forward(counted())),
            (std::vector<double>{11, 12, 15, 16}));
}

TEST(StemPool, PadsByOne) {
  EXPECT_EQ(values(StemPool().forward(counted())), (std::vector<double>{6, 8, 14, 16}));
}

}  // namespace
}  // namespace lowbit::nn
