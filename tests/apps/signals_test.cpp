// Signals before there is anything to save, the end of a terminal, streams that are closed.
#include <gmock/gmock.h>
#include <sys/file.h>

#include <cstdlib>
#include <thread>

#include "lowbit/core/descriptor.h"
#include "program.h"

namespace lowbit {
namespace {

using testing::HasSubstr;

class Signals : public Program {
 protected:
  // Until its output has the text, or it has ended.
  void await(const std::string& text, pid_t child) const {
    while (read(folder_ / "out").find(text) == std::string::npos && runs(child))
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
};

TEST_F(Signals, EndARunThatHasNotBegunAtOnce) {
  // What another process seems to download is waited for.
  fs::create_directories(folder_ / "data");
  const core::Descriptor lock(folder_ / "data/cifar-100-binary.tar.gz.lock", O_RDWR | O_CREAT);
  ASSERT_EQ(::flock(lock.get(), LOCK_EX), 0);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    fs::remove(folder_ / "out");
    const pid_t child =
        start({"train", "--model", "resnet20", "--dataset", "cifar100", "--root", "data",
               "--keyword", "cifar100,origin,fix,singleconv,cbsa", "--device", "cpu"});
    await("waiting for it", child);
    ::kill(child, signal);
    const Finished stopped = finish(child);
    EXPECT_EQ(stopped.status, 128 + signal) << stopped.out;
    EXPECT_EQ(stopped.err, "lowbit: stopped by signal " + std::to_string(signal) + "\n");
  }
}

TEST_F(Signals, TheEndOfATerminalSavesTheState) {
  const pid_t child = start({"train", "config.lsq", "--epochs", "400"});
  await("[epoch 0]: train_loss", child);
  ::kill(child, SIGHUP);
  const Finished stopped = finish(child);
  EXPECT_EQ(stopped.status, 128 + SIGHUP) << stopped.err;
  EXPECT_THAT(stopped.out, HasSubstr("stopped by signal 1;"));
  EXPECT_TRUE(fs::exists(folder_ / checkpoint_));
}

TEST_F(Signals, TheEndOfATerminalIsIgnoredUnderNohup) {
  const auto before = std::signal(SIGHUP, SIG_IGN);
  const pid_t child = start({"train", "config.lsq", "--epochs", "400"});
  std::signal(SIGHUP, before);
  await("[epoch 0]: train_loss", child);
  ::kill(child, SIGHUP);
  await("[epoch 2]: train_loss", child);
  EXPECT_TRUE(runs(child));
  ::kill(child, SIGTERM);
  EXPECT_EQ(finish(child).status, 128 + SIGTERM);
}

TEST_F(Signals, ClosedStreamsAreNoPlaceForFiles) {
  ASSERT_EQ(run({"train", "config.lsq", "--epochs", "1"}).status, 0);
  const std::string usual = read(folder_ / checkpoint_);
  fs::remove_all(folder_ / "weights");
  const std::string command = "cd '" + folder_.string() + "' && exec " + LOWBIT_PROGRAM +
                              " train config.lsq --epochs 1 <&- >&- 2>&-";
  EXPECT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(read(folder_ / checkpoint_), usual);
}

}  // namespace
}  // namespace lowbit
