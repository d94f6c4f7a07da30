#include "lowbit/kernels/parallel.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <atomic>
#include <stdexcept>
#include <vector>

#include "lowbit/core/threads.h"

namespace lowbit::kernels {
namespace {

class Parallel : public testing::Test {
 protected:
  void SetUp() override { omp_set_num_threads(3); }
  void TearDown() override { omp_set_num_threads(before_); }

 private:
  const int before_ = omp_get_max_threads();
};

TEST_F(Parallel, CoversEveryIndexOnce) {
  for (const std::int64_t size : {0, 1, 2, 3, 10, 1001}) {
    std::vector<std::atomic<int>> visits(size);
    parallel_for(size, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) ++visits[i];
    });
    for (const auto& count : visits) EXPECT_EQ(count, 1);
  }
}

TEST_F(Parallel, UsesTheThreadsThatAreAllowed) {
  std::atomic<int> pieces = 0;
  parallel_for(300, 100, [&](std::int64_t, std::int64_t) { ++pieces; });
  EXPECT_EQ(pieces, 3);
}

TEST_F(Parallel, KeepsASmallLoopOnTheCallingThread) {
  const int caller = omp_get_thread_num();
  int pieces = 0;
  parallel_for(199, 100, [&](std::int64_t, std::int64_t) {
    ++pieces;
    EXPECT_EQ(omp_get_thread_num(), caller);
  });
  EXPECT_EQ(pieces, 1);
}

TEST_F(Parallel, HandsOnAnException) {
  EXPECT_THROW(parallel_for(300, 100,
                            [](std::int64_t begin, std::int64_t) {
                              if (begin > 0) throw std::runtime_error("a piece failed");
                            }),
               std::runtime_error);
}

// The cores of each thread of the pool.
std::vector<std::vector<int>> cores_of_threads() {
  std::vector<std::vector<int>> cores(static_cast<size_t>(omp_get_max_threads()));
  parallel_for(omp_get_max_threads(), 1, [&](std::int64_t, std::int64_t) {
    cores[static_cast<size_t>(omp_get_thread_num())] = core::allowed_cores();
  });
  return cores;
}

TEST(PinnedThreads, HaveACoreEachAndGetTheOthersBack) {
  const std::vector<int> allowed = core::allowed_cores();
  const int before = omp_get_max_threads();
  omp_set_num_threads(static_cast<int>(allowed.size()));
  {
    const PinnedThreads pinned;
    std::vector<int> taken;
    for (const std::vector<int>& cores : cores_of_threads()) {
      ASSERT_EQ(cores.size(), 1);
      taken.push_back(cores[0]);
    }
    EXPECT_EQ(taken, allowed);
    // What a thread of another kind may use is unchanged.
    EXPECT_EQ(unpinned_cores(), allowed);
  }
  EXPECT_EQ(unpinned_cores(), allowed);
  for (const std::vector<int>& cores : cores_of_threads()) EXPECT_EQ(cores, allowed);
  omp_set_num_threads(before);
}

TEST(PinnedThreads, StayFreeWhereThereIsNotOneCoreForEach) {
  const std::vector<int> allowed = core::allowed_cores();
  const int before = omp_get_max_threads();
  omp_set_num_threads(static_cast<int>(allowed.size()) + 1);
  {
    const PinnedThreads pinned;
    for (const std::vector<int>& cores : cores_of_threads()) EXPECT_EQ(cores, allowed);
  }
  omp_set_num_threads(before);
}

}  // namespace
}  // namespace lowbit::kernels
