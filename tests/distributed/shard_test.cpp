#include "lowbit/distributed/shard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace lowbit::distributed {
namespace {

using testing::ElementsAre;

std::vector<int64_t> samples(int64_t count) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 100);
  return order;
}

TEST(Shard, OfOneProcessIsTheWholeOrder) {
  EXPECT_EQ(Shard().part_of(samples(7)), samples(7));
  EXPECT_EQ(Shard().place_of(5), 5);
  EXPECT_EQ(Shard().share_of(7).count, 7);
}

TEST(Shard, CutsEveryBatchIntoConsecutiveParts) {
  EXPECT_THAT((Shard{0, 2, 4}.part_of(samples(10))), ElementsAre(100, 101, 104, 105, 108));
  EXPECT_THAT((Shard{1, 2, 4}.part_of(samples(10))), ElementsAre(102, 103, 106, 107, 109));
}

TEST(Shard, GivesEverySampleToOneProcessInPartsOfAboutTheSameSize) {
  for (const int count : {2, 3, 4, 7}) {
    constexpr int64_t kSamples = 61, kBatch = 16;
    std::vector<int64_t> all;
    int64_t fewest = kSamples, most = 0;
    for (int rank = 0; rank < count; ++rank) {
      const Shard shard{rank, count, kBatch};
      const std::vector<int64_t> part = shard.part_of(samples(kSamples));
      all.insert(all.end(), part.begin(), part.end());
      fewest = std::min(fewest, shard.share_of(kBatch).count);
      most = std::max(most, shard.share_of(kBatch).count);
    }
    std::ranges::sort(all);
    EXPECT_EQ(all, samples(kSamples)) << count;
    EXPECT_LE(most - fewest, 1) << count;
  }
}

TEST(Shard, GivesABatchOfFewerSamplesThanProcessesToAll) {
  for (int rank = 0; rank < 4; ++rank) {
    const Share share = Shard{rank, 4, 8}.share_of(3);
    EXPECT_TRUE(share.whole);
    EXPECT_EQ(share.first, 0);
    EXPECT_EQ(share.count, 3);
    EXPECT_EQ((Shard{rank, 4, 8}.part_of(samples(11)).size()), 2u + 3u);
  }
}

TEST(Shard, FindsTheBatchInItsPart) {
  const std::vector<int64_t> order = samples(50);
  for (int rank = 0; rank < 3; ++rank) {
    const Shard shard{rank, 3, 8};
    const std::vector<int64_t> part = shard.part_of(order);
    for (int64_t at = 0; at < 50; at += 8) {
      const Share share = shard.share_of(std::min<int64_t>(8, 50 - at));
      EXPECT_EQ(part[static_cast<size_t>(shard.place_of(at))],
                order[static_cast<size_t>(at + share.first)]);
    }
  }
}

}  // namespace
}  // namespace lowbit::distributed
