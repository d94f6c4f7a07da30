// lowbit after: waiting for another process, and repeating what failed.
#include <gmock/gmock.h>

#include <thread>

#include "program.h"

namespace lowbit {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kNoProcess = "4194303";  // more than a machine here ever starts

class After : public Program {
 protected:
  After() : other_(::fork()) {
    if (other_ == 0) {
      ::pause();
      ::_exit(0);
    }
  }
  ~After() override { end_other(); }

  void end_other() {
    if (other_ <= 0) return;
    ::kill(other_, SIGKILL);
    ::waitpid(other_, nullptr, 0);
    other_ = 0;
  }
  std::string other() const { return std::to_string(other_); }

  // Until the child's output has the text, or it has ended.
  void await(const std::string& text, pid_t child) const {
    while (read(folder_ / "out").find(text) == std::string::npos && runs(child))
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  std::string log() const { return read(folder_ / "exp/resnet20/small/train.log"); }

 private:
  pid_t other_;
};

TEST_F(After, TrainsWhenTheProcessHasEnded) {
  const pid_t child = start({"after", other(), "config.lsq", "--epochs", "1"});
  await("waiting for process", child);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_TRUE(runs(child));
  EXPECT_THAT(read(folder_ / "out"), Not(HasSubstr("network:")));
  const std::string pid = other();
  end_other();
  const Finished finished = finish(child);
  EXPECT_EQ(finished.status, 0) << finished.err;
  EXPECT_THAT(finished.out, AllOf(HasSubstr("process " + pid + " has ended"),
                                  HasSubstr("[epoch 0]: test_acc"), Not(HasSubstr("[epoch 1]"))));
  EXPECT_TRUE(fs::exists(folder_ / checkpoint_));
}

TEST_F(After, SaysThatThereIsNoSuchProcessAndStarts) {
  const Finished finished = run({"after", kNoProcess, "config.lsq", "2", "--epochs", "1"});
  EXPECT_EQ(finished.status, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr(std::string("there is no process ") + kNoProcess));
  EXPECT_THAT(finished.err, Not(HasSubstr("repetition")));
}

TEST_F(After, RepeatsAFailureFromItsLastCheckpoint) {
  // Epoch 0 is fine, the rate of epoch 1 is not.
  const Finished failed =
      run({"after", kNoProcess, "config.lsq", "2", "--epochs", "2", "--lr_policy", "custom_step",
           "--lr_custom_step", "1", "--lr_decay", "1e30"});
  EXPECT_EQ(failed.status, 1);
  EXPECT_THAT(failed.err, HasSubstr("repetition 2 of 2, from ./weights/resnet20/small-checkpoint"));
  EXPECT_THAT(failed.err, Not(HasSubstr("from the start")));
  const std::string all = log();
  const size_t first = all.find("[epoch 0]: train_loss");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(all.find("[epoch 0]: train_loss", first + 1), std::string::npos)
      << "epoch 0 was trained again";
}

TEST_F(After, DoesNotGoOnFromACheckpointOfAnEarlierRun) {
  ASSERT_EQ(run({"train", "config.lsq", "--epochs", "1"}).status, 0);
  const Finished failed = run({"after", kNoProcess, "config.lsq", "1", "--lr", "1e30"});
  EXPECT_EQ(failed.status, 1);
  // What its own first try saved before it failed: its start.
  EXPECT_THAT(failed.err, HasSubstr("status 1: repetition 1 of 1, from ./weights"));
  EXPECT_THAT(failed.err.substr(failed.err.find("repetition")), HasSubstr("in epoch 0"));
}

TEST_F(After, WithoutRepeatHandsTheFirstFailureOn) {
  const Finished failed = run({"after", kNoProcess, "config.lsq", "--lr", "1e30"});
  EXPECT_EQ(failed.status, 1);
  EXPECT_THAT(failed.err, Not(HasSubstr("repetition")));
}

TEST_F(After, SaysWhatIsWrongBeforeItWaits) {
  write("config.typo", "dataset=fashion\n\noptions='--fm_bitt 2'\n");
  const Finished typo = run({"after", other(), "config.typo", "3"});
  EXPECT_EQ(typo.status, 2);
  EXPECT_THAT(first_line(typo.err), HasSubstr("config.typo:3:"));
  EXPECT_THAT(first_line(run({"after", "x1", "config.lsq"}).err), HasSubstr("'x1'"));
  EXPECT_THAT(first_line(run({"after", "0", "config.lsq"}).err), HasSubstr("'0'"));
  EXPECT_THAT(first_line(run({"after", other(), "config.lsq", "often"}).err), HasSubstr("'often'"));
  EXPECT_EQ(run({"after", other()}).status, 2);
}

TEST_F(After, CtrlCWhileWaitingEndsAtOnce) {
  const pid_t child = start({"after", other(), "config.lsq", "5"});
  await("waiting for process", child);
  ::kill(child, SIGINT);
  EXPECT_EQ(finish(child).status, -SIGINT);
  EXPECT_FALSE(fs::exists(folder_ / checkpoint_));
}

TEST_F(After, ASignalInTrainingReachesItAndIsNotRepeated) {
  const pid_t child = start({"after", kNoProcess, "config.lsq", "5"});
  await("[epoch 0]: train_loss", child);
  ::kill(child, SIGTERM);
  const Finished stopped = finish(child);
  EXPECT_EQ(stopped.status, 128 + SIGTERM) << stopped.err;
  EXPECT_THAT(stopped.out, HasSubstr("stopped by signal 15"));
  EXPECT_THAT(stopped.err, Not(HasSubstr("repetition")));
  EXPECT_TRUE(fs::exists(folder_ / checkpoint_));
}

}  // namespace
}  // namespace lowbit
