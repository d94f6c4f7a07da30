#include "lowbit/distributed/equality.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>

#include "support/processes.h"

namespace lowbit::distributed {
namespace {

using testing_support::as_processes;
using torch::Tensor;

// What check_equal says in every process, where that of `rank` has changed its tensors.
std::string said(int rank, const std::function<void(Tensor& weight, Tensor& counter)>& change) {
  std::vector<std::string> words(3);
  as_processes(3, [&](Group& group) {
    Tensor weight = torch::arange(48, torch::kFloat32)
                        .view({2, 3, 2, 4})
                        .contiguous(torch::MemoryFormat::ChannelsLast);
    weight[0][0][0][0] = std::numeric_limits<float>::quiet_NaN();
    weight[0][0][0][1] = 0.0;
    Tensor counter = torch::full({}, 5, torch::kInt64);
    if (group.rank() == rank) change(weight, counter);
    try {
      check_equal(group, {{"conv.weight", weight}, {"counter", counter}});
    } catch (const core::Error& error) {
      words[static_cast<size_t>(group.rank())] = error.what();
    }
  });
  EXPECT_EQ(words[1], words[0]);
  EXPECT_EQ(words[2], words[0]);
  return words[0];
}

TEST(CheckEqual, TakesEqualBits) {
  EXPECT_EQ(said(0, [](Tensor&, Tensor&) {}), "");
}

TEST(CheckEqual, SeesTheLastBitOfOneNumber) {
  EXPECT_EQ(said(2, [](Tensor& weight, Tensor&) { weight[1][2][1][3].mul_(1 + 1.2e-7); }),
            "process 2 has not the same 'conv.weight' as process 0");
}

TEST(CheckEqual, NamesTheFirstOfTheOthersWhereProcessZeroIsTheOneThatDiffers) {
  EXPECT_EQ(said(0, [](Tensor&, Tensor& counter) { counter.add_(1); }),
            "process 1 has not the same 'counter' as process 0");
}

TEST(CheckEqual, TellsZerosOfBothSignsApart) {
  EXPECT_EQ(said(1, [](Tensor& weight, Tensor&) { weight[0][0][0][1] = -0.0; }),
            "process 1 has not the same 'conv.weight' as process 0");
}

}  // namespace
}  // namespace lowbit::distributed
