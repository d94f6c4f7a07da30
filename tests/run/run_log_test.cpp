#include "lowbit/run/run_log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "lowbit/core/files.h"

namespace lowbit::run {
namespace fs = std::filesystem;
namespace {

const std::string kStart = "2025-01-01 10:00:00  --lr 0.1\n";

std::string epoch(int number) {
  const std::string begin = "2025-01-01 10:00:01  [epoch " + std::to_string(number) + "]: ";
  return begin + "train_loss 1.0\n" + begin + "test_acc 10.00 50.00, best 10.00\n";
}

RunStart start_in(int number) {
  RunStart start;
  start.checkpoint = checkpoint::Dict{{"epoch", number}};
  return start;
}

class RunLog : public testing::Test {
 protected:
  RunLog() { fs::create_directories(folder_); }
  ~RunLog() override { fs::remove_all(folder_); }

  std::string after(const std::string& content, const RunStart& start) const {
    core::replace_file(log_, content);
    begin_log(log_, start);
    return fs::exists(log_) ? core::read_file(log_) : "none";
  }

  fs::path folder_ = fs::path(testing::TempDir()) / ("run_log." + std::to_string(::getpid()));
  fs::path log_ = folder_ / "case.log";
};

TEST_F(RunLog, LosesTheEpochsThatAreTrainedAgainAndWhatFollowsThem) {
  const std::string whole = kStart + epoch(9) + kStart + epoch(10) + kStart + epoch(11);
  EXPECT_EQ(after(whole, start_in(10)), kStart + epoch(9) + kStart);
  EXPECT_EQ(after(whole, start_in(12)), whole);
  EXPECT_EQ(after(whole, start_in(0)), kStart);
}

TEST_F(RunLog, LosesALineThatWasCut) {
  EXPECT_EQ(after(kStart + epoch(0) + "2025-01-01 10:0", start_in(1)), kStart + epoch(0));
}

TEST_F(RunLog, KeepsOtherLinesThatSpeakOfEpochs) {
  const std::string other = "2025-01-01 10:00:01  going on in epoch 7, at image 0\n";
  EXPECT_EQ(after(kStart + other + epoch(7), start_in(7)), kStart + other);
}

TEST_F(RunLog, OfAnEarlierRunIsKeptBesideThatOfANewOne) {
  EXPECT_EQ(after(kStart + epoch(0), RunStart()), "none");
  EXPECT_EQ(core::read_file(log_.string() + ".old"), kStart + epoch(0));
}

TEST_F(RunLog, ThatDoesNotExistIsNoError) {
  begin_log(log_, RunStart());
  begin_log(log_, start_in(3));
  EXPECT_FALSE(fs::exists(log_));
}

}  // namespace
}  // namespace lowbit::run
