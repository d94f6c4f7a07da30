#include "lowbit/data/shuffle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

namespace lowbit::data {
namespace {

std::vector<int64_t> order_of(size_t size, uint64_t seed, int64_t epoch) {
  std::vector<int64_t> order(size, -1);
  shuffle(order, seed, epoch);
  return order;
}

TEST(Shuffle, IsAPermutation) {
  for (const size_t size : {0, 1, 2, 1000}) {
    std::vector<int64_t> order = order_of(size, 2, 3);
    std::ranges::sort(order);
    for (size_t i = 0; i < size; ++i) EXPECT_EQ(order[i], static_cast<int64_t>(i));
  }
}

TEST(Shuffle, GivesTheSameOrderOnEveryMachine) {
  EXPECT_EQ(order_of(10, 2, 0), (std::vector<int64_t>{9, 6, 5, 1, 7, 2, 8, 3, 0, 4}));
  EXPECT_EQ(order_of(10, 2, 1), (std::vector<int64_t>{6, 0, 8, 7, 4, 5, 3, 2, 9, 1}));
  EXPECT_EQ(order_of(10, 3, 0), (std::vector<int64_t>{4, 2, 9, 0, 8, 7, 5, 6, 3, 1}));
}

TEST(Shuffle, PutsEverySampleEverywhereEquallyOften) {
  constexpr int kEpochs = 5000;
  std::array<std::array<int, 5>, 5> counts{};
  for (int64_t epoch = 0; epoch < kEpochs; ++epoch) {
    const std::vector<int64_t> order = order_of(5, 2, epoch);
    for (size_t place = 0; place < 5; ++place) ++counts[order[place]][place];
  }
  for (const auto& places : counts) {
    for (const int count : places) EXPECT_NEAR(count, kEpochs / 5, 150);  // 5 standard deviations
  }
}

}  // namespace
}  // namespace lowbit::data
