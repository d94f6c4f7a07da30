#include "lowbit/train/mixup.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace lowbit::train {
namespace {

TEST(Mixture, IsAFunctionOfSeedEpochAndBatch) {
  const auto draw = [](uint64_t seed, int64_t epoch, int64_t batch) {
    return draw_mixture(0.7, seed, epoch, batch, 16);
  };
  const Mixture mixture = draw(1, 2, 3);
  EXPECT_EQ(draw(1, 2, 3).share, mixture.share);
  EXPECT_EQ(draw(1, 2, 3).partners, mixture.partners);
  for (const Mixture& other : {draw(2, 2, 3), draw(1, 3, 3), draw(1, 2, 4)}) {
    EXPECT_NE(other.share, mixture.share);
    EXPECT_NE(other.partners, mixture.partners);
  }
}

TEST(Mixture, PairsEverySampleOfTheBatchOnce) {
  std::vector<int64_t> partners = draw_mixture(0.7, 1, 0, 0, 33).partners;
  std::sort(partners.begin(), partners.end());
  std::vector<int64_t> all(33);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(partners, all);
}

// Of three samples the last one's partner is drawn first, then whether the others change places.
TEST(Mixture, OfABatchHasNothingToDoWithThatOfTheNext) {
  const auto partners = [](int64_t batch) { return draw_mixture(1, 5, 0, batch, 3).partners; };
  int both = 0;
  for (int64_t batch = 0; batch < 600; ++batch) {
    const auto one = partners(batch), next = partners(batch + 1);
    const bool stays = next[0] == (next[2] == 0 ? 2 : 0);
    both += one[2] == 0 && stays;
  }
  EXPECT_NEAR(both, 600 / 6, 40);
}

// Mean 1/2, variance 1 / (4 (2 alpha + 1)); 20,000 draws have a mean within 0.01 of it.
TEST(Mixture, HasTheMomentsOfTheBetaDistribution) {
  for (const double alpha : {0.2, 0.7, 1.0, 4.0}) {
    constexpr int kDraws = 20000;
    double sum = 0, squares = 0;
    for (int batch = 0; batch < kDraws; ++batch) {
      const double share = draw_mixture(alpha, 5, 0, batch, 1).share;
      ASSERT_TRUE(share >= 0 && share <= 1) << share;
      sum += share;
      squares += (share - 0.5) * (share - 0.5);
    }
    EXPECT_NEAR(sum / kDraws, 0.5, 0.01) << alpha;
    EXPECT_NEAR(squares / kDraws, 1 / (4 * (2 * alpha + 1)), 0.005) << alpha;
  }
}

TEST(Mixture, OfAnAlphaNearZeroIsOneSampleOfThePair) {
  EXPECT_EQ(draw_mixture(0, 1, 0, 0, 4).share, 1);
  for (int batch = 0; batch < 50; ++batch) {
    const double share = draw_mixture(1e-9, 1, 0, batch, 4).share;
    EXPECT_TRUE(share == 0 || share == 1) << share;
  }
}

TEST(Mixup, MixesImagesAndLabelsByTheMixtureOfTheBatch) {
  Mixup mixup(0.7, 1, 8, torch::kCPU);
  mixup.begin(2, 3, 4);  // a last, smaller batch
  const Mixture mixture = draw_mixture(0.7, 1, 2, 3, 4);
  const torch::Tensor images =
      torch::randn({4, 3, 2, 2}).contiguous(torch::MemoryFormat::ChannelsLast);
  const torch::Tensor mixed = mixup.mix(images);
  const Labels labels = mixup.mix_labels(torch::tensor({10, 11, 12, 13}));
  EXPECT_TRUE(mixed.is_contiguous(torch::MemoryFormat::ChannelsLast));
  EXPECT_FLOAT_EQ(labels.share.item<float>(), static_cast<float>(mixture.share));
  for (int64_t i = 0; i < 4; ++i) {
    const int64_t partner = mixture.partners[static_cast<size_t>(i)];
    EXPECT_TRUE(torch::allclose(
        mixed[i], images[i] * mixture.share + images[partner] * (1 - mixture.share), 1e-5, 1e-6));
    EXPECT_EQ(labels.first[i].item<int64_t>(), 10 + i);
    EXPECT_EQ(labels.second[i].item<int64_t>(), 10 + partner);
  }
}

}  // namespace
}  // namespace lowbit::train
