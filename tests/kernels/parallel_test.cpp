#include "lowbit/kernels/parallel.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <atomic>
#include <stdexcept>
#include <vector>

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

}  // namespace
}  // namespace lowbit::kernels
