#include "lowbit/kernels/math/random.h"

#include <gtest/gtest.h>

#include <set>

namespace lowbit::kernels {
namespace {

void expect_words(const Random128& bits, const Random128& expected) {
  for (int i = 0; i < 4; ++i) EXPECT_EQ(bits.word[i], expected.word[i]) << "word " << i;
}

// kat_vectors of the authors' Random123 library, philox4x32 with 10 rounds.
TEST(Philox, GivesThePublishedTestVectors) {
  expect_words(philox4x32_10({{0, 0, 0, 0}}, 0),
               {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}});
  expect_words(philox4x32_10({{~0u, ~0u, ~0u, ~0u}}, ~uint64_t{0}),
               {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}});
  expect_words(
      philox4x32_10({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0x299f31d0a4093822),
      {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}});
}

TEST(RandomBits, DifferInSeedPurposeEpochAndIndex) {
  std::set<uint32_t> seen;
  for (uint64_t seed : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 32}) {
    for (Purpose purpose : {Purpose::augmentation, Purpose::order, Purpose::fake_pixels,
                            Purpose::mixup_share, Purpose::mixup_partner}) {
      for (int64_t epoch : {0, 1, 300}) {
        for (int64_t index : {int64_t{0}, int64_t{1}, int64_t{1} << 32}) {
          seen.insert(random_bits(seed, purpose, epoch, index).word[0]);
        }
      }
    }
  }
  EXPECT_EQ(seen.size(), 3u * 5 * 3 * 3);
}

TEST(UniformBelow, CoversTheRangeFromItsFirstToItsLastNumber) {
  EXPECT_EQ(uniform_below(0, 0, 7), 0u);
  EXPECT_EQ(uniform_below(0xffffffff, 0xffffffff, 7), 6u);
  EXPECT_EQ(uniform_below(0xffffffff, 0xffffffff, 0xffffffff), 0xfffffffeu);
  EXPECT_EQ(uniform_below(0xffffffff, 0xffffffff, 1), 0u);
}

TEST(UniformBelow, ChangesWhereAllSixtyFourBitsSayOneThird) {
  EXPECT_EQ(uniform_below(0x55555555, 0x55555555, 3), 0u);
  EXPECT_EQ(uniform_below(0x55555555, 0x55555556, 3), 1u);
}

}  // namespace
}  // namespace lowbit::kernels
