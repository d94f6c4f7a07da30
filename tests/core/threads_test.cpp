#include "lowbit/core/threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <string>

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

TEST(ForEachInOrder, CallsTheBodyOnceForEveryNumber) {
  for (const int threads : {1, 3, 8}) {
    std::vector<std::atomic<int>> calls(100);
    for_each_in_order(threads, calls.size(), [&](size_t i) { ++calls[i]; });
    for (const auto& count : calls) EXPECT_EQ(count, 1);
    for_each_in_order(threads, 0, [](size_t) { FAIL(); });
  }
}

TEST(ForEachInOrder, ThrowsWhatTheLowestNumberThrew) {
  for (int again = 0; again < 50; ++again) try {
      for_each_in_order(4, 1000, [](size_t i) {
        if (i % 7 == 6) throw std::runtime_error(std::to_string(i));
      });
      FAIL();
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "6");
    }
}

}  // namespace
}  // namespace lowbit::core
