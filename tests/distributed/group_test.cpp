#include "lowbit/distributed/group.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>

#include "support/processes.h"

namespace lowbit::distributed {
namespace {

using testing::HasSubstr;
using testing_support::as_processes;
using torch::Tensor;

TEST(Group, SumsInPlace) {
  as_processes(3, [](Group& group) {
    const Tensor numbers = torch::full({5}, group.rank() + 1.0, torch::kFloat64);
    group.sum(numbers);
    EXPECT_TRUE(torch::equal(numbers, torch::full({5}, 6.0, torch::kFloat64)));
  });
}

TEST(Group, SumsBesideOtherWork) {
  as_processes(2, [](Group& group) {
    const Tensor a = torch::full({1000}, group.rank() + 1.0), b = torch::ones({3});
    Pending first = group.start_sum(a), second = group.start_sum(b);
    first.wait();
    second.wait();
    EXPECT_EQ(a[999].item<double>(), 3);
    EXPECT_EQ(b[0].item<double>(), 2);
  });
}

TEST(Group, FindsTheLargest) {
  as_processes(3, [](Group& group) {
    const Tensor numbers = torch::tensor({group.rank() == 1 ? 7.0 : -1.0, -2.0 - group.rank()});
    group.largest(numbers);
    EXPECT_TRUE(torch::equal(numbers, torch::tensor({7.0, -2.0})));
    EXPECT_EQ(group.largest(int64_t{10} - group.rank()), 10);
    EXPECT_EQ(group.sum(int64_t{2}), 6);
  });
}

TEST(Group, TakesTensorsOfAnyTypeAndStridesFromTheFirst) {
  as_processes(2, [](Group& group) {
    const bool first = group.rank() == 0;
    const Tensor counter = torch::full({}, first ? 5 : 0, torch::kInt64);
    const Tensor expected = torch::arange(48, torch::kFloat32).view({2, 3, 2, 4});
    const Tensor weight = (first ? expected : torch::zeros_like(expected))
                              .contiguous(torch::MemoryFormat::ChannelsLast);
    const Tensor flag = torch::full({2}, first, torch::kBool);
    group.take_from_first({counter, weight, flag});
    EXPECT_EQ(counter.item<int64_t>(), 5);
    EXPECT_TRUE(torch::equal(weight, expected));
    EXPECT_TRUE(flag.all().item<bool>());
  });
}

TEST(Group, GathersByRank) {
  as_processes(3, [](Group& group) {
    const Tensor all = group.gather(torch::full({2}, 1.0 * group.rank()));
    EXPECT_TRUE(torch::equal(all, torch::tensor({{0., 0.}, {1., 1.}, {2., 2.}})));
  });
}

TEST(Group, AgreesOnTheFirstTextThatIsNotEmpty) {
  as_processes(3, [](Group& group) {
    EXPECT_EQ(group.first_text(""), "");
    EXPECT_EQ(group.first_text(group.rank() == 0 ? "" : "of " + std::to_string(group.rank())),
              "of 1");
    EXPECT_EQ(group.first_text(std::string(5000, 'x')).size(), 1023u);
  });
}

TEST(Group, TellsThatAnotherProcessIsGone) {
  std::atomic<int> told = 0;
  EXPECT_THROW(as_processes(2,
                            [&told](Group& group) {
                              if (group.rank() == 1) throw core::failure("gone");
                              try {
                                group.sum(torch::ones({1}));
                              } catch (const PeerLost& error) {
                                EXPECT_THAT(error.what(), HasSubstr("lost process 1 of 2"));
                                ++told;
                                throw;
                              }
                            }),
               PeerLost);
  EXPECT_EQ(told, 1);
}

TEST(SumOverProcesses, HasTheGradientOfTheWholeSum) {
  as_processes(2, [](Group& group) {
    const GroupScope scope(&group, false);
    const Tensor x = torch::full({1}, group.rank() + 1.0, torch::requires_grad());
    // Each process has half of the loss (x0 + x1)^2.
    const Tensor loss = sum_over_processes(x).square().sum() * 0.5;
    loss.backward();
    EXPECT_EQ(x.grad().item<double>(), 6);
  });
}

TEST(GroupScope, HidesTheOneAround) {
  EXPECT_EQ(GroupScope::current(), nullptr);
  as_processes(1, [](Group& group) {
    const GroupScope outer(&group, true);
    EXPECT_EQ(GroupScope::of_batch_norm(), &group);
    {
      const GroupScope inner(nullptr, true);
      EXPECT_EQ(GroupScope::current(), nullptr);
      EXPECT_EQ(GroupScope::of_batch_norm(), nullptr);
    }
    const GroupScope other(&group, false);
    EXPECT_EQ(GroupScope::current(), &group);
    EXPECT_EQ(GroupScope::of_batch_norm(), nullptr);
  });
}

// Variables of the environment that a test sets; unset again at its end.
class PlaceTest : public testing::Test {
 protected:
  ~PlaceTest() override {
    for (const char* name : {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR",
                             "MASTER_PORT", "TORCHELASTIC_USE_AGENT_STORE"})
      ::unsetenv(name);
  }
  static void set(const char* name, const char* value) { ::setenv(name, value, 1); }
};

TEST_F(PlaceTest, IsWhatTorchrunSays) {
  EXPECT_FALSE(place_from_environment());
  set("WORLD_SIZE", "8");
  EXPECT_FALSE(place_from_environment());
  set("RANK", "5");
  set("LOCAL_RANK", "1");
  set("LOCAL_WORLD_SIZE", "4");
  set("MASTER_ADDR", "elsewhere");
  set("MASTER_PORT", "1234");
  set("TORCHELASTIC_USE_AGENT_STORE", "True");
  const auto place = place_from_environment();
  ASSERT_TRUE(place);
  EXPECT_EQ(place->rank, 5);
  EXPECT_EQ(place->size, 8);
  EXPECT_EQ(place->local_rank, 1);
  EXPECT_EQ(place->local_size, 4);
  EXPECT_EQ(place->host, "elsewhere");
  EXPECT_EQ(place->port, 1234);
  EXPECT_TRUE(place->store_is_open);
}

TEST_F(PlaceTest, NamesAVariableThatIsWrong) {
  set("WORLD_SIZE", "2");
  set("RANK", "2");
  try {
    place_from_environment();
    FAIL();
  } catch (const core::Error& error) {
    EXPECT_STREQ(error.what(), "RANK='2' in the environment: not a number from 0 to 1");
  }
}

}  // namespace
}  // namespace lowbit::distributed
