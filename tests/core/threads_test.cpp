#include "lowbit/core/threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
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

TEST(WantedThreads, AreThoseOfOpenMPsVariable) {
  const char* before = std::getenv("OMP_NUM_THREADS");
  const std::string kept = before ? before : "";
  const auto wanted = [](const char* given) {
    ::setenv("OMP_NUM_THREADS", given, 1);
    return wanted_threads();
  };
  EXPECT_EQ(wanted("3"), 3);
  EXPECT_EQ(wanted("5,2"), 5) << "the outermost loop's";
  for (const char* none : {"", "0", "-1", "many"}) EXPECT_EQ(wanted(none), usable_cores()) << none;
  ::unsetenv("OMP_NUM_THREADS");
  EXPECT_EQ(wanted_threads(), usable_cores());
  if (before) ::setenv("OMP_NUM_THREADS", kept.c_str(), 1);
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
