// Processes that cannot meet, disagree, or hang; here they are threads.
#include "lowbit/distributed/meeting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <csignal>
#include <mutex>
#include <optional>
#include <thread>

#include "lowbit/core/interrupt.h"
#include "lowbit/distributed/peer_watch.h"
#include "lowbit/distributed/port.h"
#include "support/processes.h"

namespace lowbit::distributed {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::MatchesRegex;

// Lines that a process says, and the error that its function ends with.
struct Outcome {
  std::vector<std::string> said;
  std::string error, details;
  std::optional<core::ErrorKind> kind;
};

class MeetingTest : public testing::Test {
 protected:
  Place place(int rank, int size) const {
    return {.rank = rank, .size = size, .local_rank = rank, .local_size = size, .port = port_};
  }

  // What becomes of a process of that place, with little patience.
  Outcome outcome(
      const Place& place, const Facts& facts, std::chrono::milliseconds longest,
      const std::function<void(Group&)>& body = [](Group&) {}) const {
    Outcome result;
    std::mutex mutex;
    Group::Terms terms{.facts = facts,
                       .patience = {.longest = longest,
                                    .quiet = std::min<std::chrono::milliseconds>(longest / 4, 1s),
                                    .grace = 500ms,
                                    .say =
                                        [&](const std::string& line) {
                                          const std::lock_guard lock(mutex);
                                          result.said.push_back(line);
                                        }},
                       .end = {}};
    try {
      body(*Group::join(place, torch::kCPU, terms));
    } catch (const core::Error& error) {
      result.error = error.what();
      result.details = error.details();
      result.kind = error.kind();
    }
    const std::lock_guard lock(mutex);
    return result;
  }

  // Of processes with these facts, by rank.
  std::vector<Outcome> outcomes(const std::vector<Facts>& facts) const {
    std::vector<Outcome> found(facts.size());
    std::vector<std::jthread> threads;
    for (size_t rank = 0; rank < facts.size(); ++rank)
      threads.emplace_back([&, rank] {
        found[rank] = outcome(place(static_cast<int>(rank), static_cast<int>(facts.size())),
                              facts[rank], 20s);
      });
    threads.clear();
    return found;
  }

  const int port_ = free_port();
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
};

TEST_F(MeetingTest, SaysForWhomItWaitsAndGivesUp) {
  const Outcome alone = outcome(place(0, 3), {}, 1s);
  EXPECT_THAT(alone.said, Contains(MatchesRegex("waiting for 2 of 3 processes at " + address() +
                                                " \\(rank 1, 2\\), for .* s")));
  EXPECT_EQ(alone.error,
            "gave up waiting for 2 of 3 processes at " + address() + " (rank 1, 2), after 1 s");
  EXPECT_THAT(alone.details, HasSubstr("--peer_timeout"));
}

TEST_F(MeetingTest, SaysThatTheFirstProcessDoesNotAnswer) {
  const Outcome alone = outcome(place(1, 2), {}, 1s);
  EXPECT_THAT(alone.said, Contains(HasSubstr("waiting for process 0 at " + address() +
                                             " (Connection refused), for ")));
  EXPECT_EQ(alone.error,
            "gave up waiting for process 0 at " + address() + " (Connection refused), after 1 s");
}

TEST_F(MeetingTest, NamesAHostThatDoesNotExist) {
  Place nowhere = place(1, 2);
  nowhere.host = "no-such-host.invalid";
  const Outcome alone = outcome(nowhere, {}, 1s);
  EXPECT_THAT(alone.said, Contains(HasSubstr("waiting for process 0 at no-such-host.invalid:")));
  EXPECT_EQ(alone.error, "there is no host 'no-such-host.invalid' (MASTER_ADDR)");
}

TEST_F(MeetingTest, NamesAPortThatIsInUse) {
  const int other = open_port(port_, true);
  const Outcome first = outcome(place(0, 2), {}, 20s);
  EXPECT_EQ(first.error, "port " + std::to_string(port_) +
                             " of this machine cannot be opened for the other processes: Address "
                             "already in use");
  EXPECT_THAT(first.details, HasSubstr("MASTER_PORT"));
  ::close(other);
}

// It accepts connections, and is silent.
TEST_F(MeetingTest, TellsAnotherServiceFromTheFirstProcess) {
  const int other = open_port(port_, true);
  const Outcome second = outcome(place(1, 2), {}, 1s);
  EXPECT_THAT(second.error,
              HasSubstr("what answers at " + address() + " is not process 0 of this run"));
  ::close(other);
}

TEST_F(MeetingTest, OtherFactsAreAnErrorInAllProcesses) {
  const Facts usual = {{"--lr", "0.1"}, {"-b", "16"}, {"--wd", "1"}};
  const Facts other = {{"--lr", "0.1"}, {"-b", "32"}, {"--wd", "2"}};
  for (const Outcome& each : outcomes({usual, other, usual})) {
    EXPECT_EQ(each.error,
              "the processes of the run differ in -b: '16' in process 0, '32' in process 1");
    EXPECT_EQ(each.details, "--wd: '1' in process 0, '2' in process 1");
    EXPECT_EQ(each.kind, core::ErrorKind::usage);
  }
}

TEST_F(MeetingTest, AnotherNumberOfProcessesIsAnError) {
  Outcome first, second;
  {
    const std::jthread other([&] { first = outcome(place(0, 2), {}, 20s); });
    second = outcome(place(1, 3), {}, 20s);
  }
  EXPECT_EQ(first.error, second.error);
  EXPECT_THAT(first.error, HasSubstr("number of processes: '2' in process 0, '3' in process 1"));
}

TEST_F(MeetingTest, TwoProcessesOfOneRankAreAnError) {
  Outcome first, second;
  {
    const std::jthread leader([&] { outcome(place(0, 3), {}, 3s); });
    const std::jthread other([&] { first = outcome(place(1, 3), {}, 3s); });
    second = outcome(place(1, 3), {}, 3s);
  }
  EXPECT_THAT(first.error + second.error,
              HasSubstr("two processes at " + address() + " have rank 1"));
}

TEST_F(MeetingTest, ASignalEndsTheWait) {
  core::catch_interrupts();
  std::raise(SIGTERM);
  EXPECT_EQ(
      outcome(place(0, 2), {}, 600s).error,
      "stopped by signal 15 while waiting for 1 of 2 processes at " + address() + " (rank 1)");
  core::catch_interrupts();  // clears the flag
}

TEST_F(MeetingTest, TheReasonOfAProcessThatLeavesIsTold) {
  Outcome first;
  {
    const std::jthread second([&] {
      outcome(place(1, 2), {}, 60s, [](Group& group) { group.leave("its disk is full"); });
    });
    first = outcome(place(0, 2), {}, 60s, [](Group& group) { group.wait_for_all(); });
  }
  EXPECT_THAT(first.error, MatchesRegex("lost process 1 of 2 \\(PID .*\\): its disk is full"));
}

TEST_F(MeetingTest, ProcessesAgreeOrNameTheDifference) {
  testing_support::as_processes(2, [](Group& group) {
    group.agree({{"images", "512"}});
    try {
      group.agree({{"images", group.rank() == 0 ? "512" : "50000"}});
      FAIL();
    } catch (const core::Error& error) {
      EXPECT_STREQ(error.what(),
                   "the processes of the run differ in images: '512' in process 0, "
                   "'50000' in process 1");
    }
  });
}

// Two processes that have met.
class PeerWatchTest : public MeetingTest {
 protected:
  PeerWatchTest() {
    const std::jthread other([this] { met_[1] = meet(place(1, 2), {}, {}); });
    met_[0] = meet(place(0, 2), {}, {});
  }
  ~PeerWatchTest() override { core::catch_interrupts(); }  // clears the flag

  std::unique_ptr<PeerWatch> watch(int rank, std::chrono::milliseconds longest) {
    const Met& met = met_[rank];
    return std::make_unique<PeerWatch>(
        PeerWatch::Setup{.place = place(rank, 2),
                         .names = met.names,
                         .store = met.store_of_watch,
                         .patience = {.longest = longest,
                                      .quiet = 1s,
                                      .grace = grace_,
                                      .say =
                                          [this](const std::string& line) {
                                            const std::lock_guard lock(mutex_);
                                            said_.push_back(line);
                                          }},
                         .end = {}});
  }

  // Waits until the watch ends the wait: how it does, or "" after that many lines.
  std::string wait(PeerWatch& watch, Limit limit = Limit::patience, size_t lines = 1000) {
    const PeerWatch::Waiting waiting(watch, limit);
    while (said().size() < lines) {
      try {
        watch.check();
      } catch (const core::Error& error) {
        return error.what();
      }
      std::this_thread::sleep_for(10ms);
    }
    return "";
  }
  std::vector<std::string> said() {
    const std::lock_guard lock(mutex_);
    return said_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> said_;
  Met met_[2];

 protected:
  std::chrono::milliseconds grace_ = 1s;
};

TEST_F(PeerWatchTest, NamesAProcessThatDoesNotAnswer) {
  const auto first = watch(0, 2s);
  const std::string error = wait(*first);
  EXPECT_THAT(error, MatchesRegex("gave up waiting for process 1 of 2 \\(PID .*\\), which does not "
                                  "answer, after 2 s"));
  EXPECT_THAT(said(), Contains(MatchesRegex("waiting for process 1 of 2 \\(PID .*\\), which does "
                                            "not answer, for .* s")));
}

TEST_F(PeerWatchTest, NamesAProcessThatAnswersAndDoesNotCome) {
  const auto first = watch(0, 4s), second = watch(1, 4s);
  EXPECT_THAT(wait(*first),
              MatchesRegex("gave up waiting for process 1 of 2 \\(PID .*\\), which is "
                           "busy, after 4 s"));
}

TEST_F(PeerWatchTest, AWaitWithoutLimitLastsAsLongAsTheOtherLives) {
  const auto first = watch(0, 3s);
  auto second = watch(1, 3s);
  // After 1, 2 and 4 seconds.
  EXPECT_EQ(wait(*first, Limit::none, 3), "");
  second.reset();
  EXPECT_THAT(first->find_lost(), HasSubstr("process 1 of 2"));
}

TEST_F(PeerWatchTest, ASignalEndsAWaitForAProcessThatDoesNotAnswer) {
  grace_ = 600s;
  const auto first = watch(0, 600s);
  core::catch_interrupts();
  std::raise(SIGTERM);
  EXPECT_THAT(wait(*first), MatchesRegex("stopped by signal 15 while waiting for process 1 of 2 "
                                         "\\(PID .*\\), which does not answer"));
}

TEST_F(PeerWatchTest, ASignalEndsAWaitThatLasts) {
  const auto first = watch(0, 600s), second = watch(1, 600s);
  core::catch_interrupts();
  std::raise(SIGINT);
  EXPECT_THAT(wait(*first), HasSubstr("stopped by signal 2 while waiting for process 1 of 2"));
}

TEST(Facts, SurviveTheWay) {
  const Facts facts = facts_of(to_text({{"a", ""}, {"b", "1\n2 '"}}));
  ASSERT_EQ(facts.size(), 2u);
  EXPECT_EQ(facts[1].name, "b");
  EXPECT_EQ(facts[1].value, "1\n2 '");
  EXPECT_EQ(differences(facts, facts, 1), "");
  EXPECT_EQ(differences(facts, {{"a", ""}}, 3), "b: '1\\n2 '' in process 0, nothing in process 3");
}

TEST(Reminder, IsDueMoreAndMoreRarely) {
  Reminder reminder(8s);
  std::vector<int> due;
  for (int second = 1; second <= 200; ++second)
    if (reminder.is_due(std::chrono::seconds(second))) due.push_back(second);
  EXPECT_EQ(due, (std::vector<int>{8, 16, 32, 64, 124, 184}));
}

}  // namespace
}  // namespace lowbit::distributed
