#include "lowbit/core/threads.h"

#include <gtest/gtest.h>

namespace lowbit::core {
namespace {

TEST(UsableCores, FollowsTheAffinityMaskOfTheProcess) {
  const std::vector<int> before = allowed_cores();
  ASSERT_FALSE(before.empty());
  ASSERT_TRUE(stay_on({before.back()}));
  EXPECT_EQ(allowed_cores(), std::vector{before.back()});
  EXPECT_EQ(usable_cores(), 1);
  ASSERT_TRUE(stay_on(before));
  EXPECT_EQ(allowed_cores(), before);
  EXPECT_GE(usable_cores(), 1);
}

}  // namespace
}  // namespace lowbit::core
