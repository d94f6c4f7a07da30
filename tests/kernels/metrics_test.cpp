#include "lowbit/kernels/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace lowbit::kernels {
namespace {

struct Counted {
  Totals totals{};
  float halted = 0;
};

// Rows of six logits, all with target 2.
Counted count(const std::vector<float>& logits, float loss, Counted state = {}) {
  const std::vector<int64_t> targets(logits.size() / 6, 2);
  count_batch(Backend::reference,
              {.logits = logits.data(),
               .loss = &loss,
               .type = ScalarType::float32,
               .targets = targets.data(),
               .batch = static_cast<int64_t>(targets.size()),
               .classes = 6,
               .totals = &state.totals,
               .halted = &state.halted},
              nullptr);
  return state;
}

TEST(CountBatch, SumsLossAndAccuracyOverBatches) {
  const Counted once = count({0, 1, 2, 0, 0, 0,  //
                              3, 3, 2, 3, 3, 0},
                             0.5f);
  const Counted twice = count({9, 9, 2, 9, 9, 9}, 2.0f, once);
  EXPECT_EQ(twice.totals.top1, 1);
  EXPECT_EQ(twice.totals.top5, 2);
  EXPECT_EQ(twice.totals.samples, 3);
  EXPECT_EQ(twice.totals.loss, 0.5 * 2 + 2.0);
}

TEST(CountBatch, EqualLogitsStandInTheOrderOfTheClasses) {
  EXPECT_EQ(count({0, 0, 7, 7, 7, 7}, 1).totals.top1, 1);
  EXPECT_EQ(count({0, 7, 7, 0, 0, 0}, 1).totals.top1, 0);
}

TEST(CountBatch, ANaNIsNeverRight) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(count({nan, nan, nan, nan, nan, nan}, 1).totals.top5, 0);
  EXPECT_EQ(count({nan, 0, 9, 0, 0, 0}, 1).totals.top1, 0);
}

TEST(CountBatch, TotalsStandStillFromTheFirstLossThatIsNotFinite) {
  const Counted good = count({0, 0, 9, 0, 0, 0}, 1);
  const Counted bad = count({0, 0, 9, 0, 0, 0}, std::numeric_limits<float>::infinity(), good);
  const Counted after = count({0, 0, 9, 0, 0, 0}, 1, bad);
  EXPECT_EQ(after.halted, 1);
  EXPECT_EQ(after.totals.samples, 1);
  EXPECT_EQ(after.totals.loss, 1);
}

}  // namespace
}  // namespace lowbit::kernels
