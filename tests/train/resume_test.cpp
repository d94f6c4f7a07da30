// Runs that are killed and go on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>

#include <fstream>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "trainer_fixture.h"

namespace lowbit::train {
namespace {

using testing::HasSubstr;

// What happens to a process by SIGKILL: everything stops, nothing more is written.
struct Killed {};

class ResumeTest : public TrainerTest {
 protected:
  // Kills the run in its training step of that number, from 1.
  void run_until(int step, const std::string& name, std::vector<std::string> more = {}) const {
    int steps = 0;
    EXPECT_THROW(run(name, std::move(more),
                     [&](const run::Progress& progress) {
                       if (progress.training && ++steps == step) throw Killed();
                     }),
                 Killed);
  }

  std::string bytes(const fs::path& path) const { return core::read_file(path); }
  fs::path previous(const std::string& name) const { return file(name, "-checkpoint-previous"); }
  fs::path file(const std::string& name, const std::string& what) const {
    return folder_ / "weights" / "resnet20" / (name + what + ".pth.tar");
  }
  int64_t position(const fs::path& path, const char* entry) const {
    const checkpoint::Value checkpoint = checkpoint::read_checkpoint(path);
    const checkpoint::Dict& own =
        checkpoint.get<checkpoint::Dict>("file").at("lowbit").get<checkpoint::Dict>("lowbit");
    return own.at("position").get<checkpoint::Dict>("position").at(entry).get<int64_t>(entry);
  }
  // Keeps the files of a finished run and makes place for another of the same name.
  void set_aside(const std::string& name) { fs::rename(folder_ / "weights", folder_ / name); }
  void expect_same_files(const std::string& name) const {
    size_t files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / name)) {
      if (!entry.is_regular_file()) continue;
      const fs::path other = folder_ / "weights" / fs::relative(entry.path(), folder_ / name);
      ASSERT_TRUE(fs::exists(other)) << other;
      EXPECT_TRUE(bytes(entry.path()) == bytes(other)) << other << " differs";
      ++files;
    }
    EXPECT_GE(files, 3u);
  }
};

struct ResumedMethod {
  const char* name;
  std::vector<std::string> options;
};
void PrintTo(const ResumedMethod& method, std::ostream* out) {
  *out << method.name;
}

class KilledRun : public ResumeTest, public testing::WithParamInterface<ResumedMethod> {
 protected:
  std::vector<std::string> options(std::vector<std::string> more) const {
    std::vector<std::string> all = GetParam().options;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
};

// 72 = 2 * 32 + 8 images: three steps an epoch.
TEST_P(KilledRun, EndsWithTheBytesOfOneNeverStopped) {
  const std::vector<std::string> same = options({"-r", "--save_every", "1"});
  run("x", same);
  set_aside("whole");
  for (const int step : {1, 2, 3, 5}) run_until(step, "x", same);
  EXPECT_GT(position(checkpoint("x"), "epoch"), 0);
  run("x", same);
  expect_same_files("whole");
}

std::string keyword(const std::string& methods) {
  return "fashion,cbsa,origin,fix,singleconv," + methods;
}
INSTANTIATE_TEST_SUITE_P(
    Methods, KilledRun,
    testing::Values(
        ResumedMethod{"lsq", {}},
        ResumedMethod{"proxquant", {"--keyword", keyword("dorefa,lsq,proxquant"), "--ps", "3"}},
        ResumedMethod{"stable", {"--stable", "4"}},
        ResumedMethod{"pact", {"--keyword", keyword("pact")}},
        ResumedMethod{"lq", {"--keyword", keyword("lq")}},
        ResumedMethod{"xnor",
                      {"--keyword", keyword("NReLU,xnor"), "--fm_bit", "1", "--wt_bit", "1"}},
        ResumedMethod{"no_validation", {"-v", "0", "--momentum", "0.5"}}),
    [](const auto& each) { return std::string(each.param.name); });

TEST_F(ResumeTest, SaveEverySavesAfterThatManyStepsOfTheRun) {
  run_until(6, "x", {"--save_every", "2"});  // the last step of the second epoch
  EXPECT_EQ(position(checkpoint("x"), "epoch"), 1);
  EXPECT_EQ(position(checkpoint("x"), "samples"), 32) << "four steps of the run";
  EXPECT_EQ(position(previous("x"), "epoch"), 1);
  EXPECT_EQ(position(previous("x"), "samples"), 0) << "the end of the first epoch";
}

TEST_F(ResumeTest, WithoutSaveEveryARunGoesOnAfterItsLastWholeEpoch) {
  run_until(5, "x");
  EXPECT_EQ(position(checkpoint("x"), "epoch"), 1);
  EXPECT_EQ(position(checkpoint("x"), "samples"), 0);
}

TEST_F(ResumeTest, ResumingARunThatHasSavedNothingBeginsIt) {
  run("x", {"--epochs", "1", "-r"});
  run("y", {"--epochs", "1"});
  expect_same_bits(saved("x"), saved("y"));
}

TEST_F(ResumeTest, ResumingAFinishedRunChangesNothing) {
  run("x", {"--epochs", "1"});
  const std::string before = bytes(checkpoint("x")), kept = bytes(previous("x"));
  const run::RunResult result = run("x", {"--epochs", "1", "-r"});
  EXPECT_EQ(result.interrupted, 0);
  EXPECT_TRUE(bytes(checkpoint("x")) == before);
  EXPECT_TRUE(bytes(previous("x")) == kept);
}

TEST_F(ResumeTest, ANamedFileThatIsMissingIsAnError) {
  EXPECT_THROW(run("x", {"-r", "--resume_file", "none.pth.tar"}), core::Error);
}

// Otherwise -r would take the earlier run for the one that was killed.
TEST_F(ResumeTest, ANewRunTakesThePlaceOfAnEarlierOneBeforeItsFirstStep) {
  run("x", {"--seed", "7"});
  run_until(1, "x");
  EXPECT_EQ(position(checkpoint("x"), "epoch"), 0);
  EXPECT_FALSE(fs::exists(previous("x"))) << "the state of another run";
  run("x", {"-r"});
  run("y");
  expect_same_bits(saved("x"), saved("y"));
}

TEST_F(ResumeTest, ACopyAndTheBestAreThereBeforeTheNewestStateSaysSo) {
  const std::vector<std::string> options = {"--lr_policy", "custom_step", "--lr_custom_step",
                                            "2,3"};
  run("x", options);
  for (const char* copy : {"-epoch1-checkpoint", "-epoch2-checkpoint", "-epoch3-checkpoint"})
    EXPECT_TRUE(fs::exists(file("x", copy))) << copy;
  // In the last epoch the newest state cannot be written: the run dies when it comes to that.
  const fs::path unfinished = checkpoint("y").string() + "." + std::to_string(::getpid()) + ".tmp";
  const auto obstruct = [&](const run::Progress& progress) {
    if (progress.epoch == 3) fs::create_directory(unfinished);
  };
  EXPECT_THROW(run("y", options, obstruct), core::Error);
  EXPECT_EQ(position(checkpoint("y"), "epoch"), 3);
  EXPECT_EQ(position(file("y", "-epoch3-checkpoint"), "epoch"), 4);
}

// --- damaged files ---

TEST_F(ResumeTest, ADamagedNewestStateIsNamedAndTheOneBeforeUsed) {
  run("whole");
  run_until(8, "x", {"--save_every", "1"});
  const std::string newest = bytes(checkpoint("x")), before = bytes(previous("x"));
  ASSERT_TRUE(newest != before);
  const config::Configuration resumed = configuration("x", {"-r"});
  // Every part of the file: records, pickle, tensors, directory.
  const size_t step = newest.size() / 200 + 1;
  for (size_t length = 0; length<newest.size(); length += length + 100> newest.size() ? 1 : step) {
    fs::resize_file(checkpoint("x"), 0);
    std::ofstream(checkpoint("x"), std::ios::binary) << newest.substr(0, length);
    const run::RunStart start = run::find_start(resumed.options);
    ASSERT_EQ(start.path, previous("x")) << "cut at byte " << length;
    ASSERT_THAT(start.warning, HasSubstr(checkpoint("x").string()));
    ASSERT_EQ(start.warning.find('\n'), std::string::npos);
  }
  fs::resize_file(checkpoint("x"), newest.size() / 2);
  run_until(2, "x", {"-r", "--save_every", "1"});
  EXPECT_TRUE(bytes(previous("x")) == before) << "the damaged state must not take its place";
  EXPECT_TRUE(bytes(checkpoint("x")) == newest) << "the same step again";
  run("x", {"-r"});
  expect_same_bits(saved("whole"), saved("x"));
}

TEST_F(ResumeTest, TwoDamagedStatesAreAnErrorThatNamesBoth) {
  run("x", {"--epochs", "1"});
  for (const fs::path& path : {checkpoint("x"), previous("x")}) fs::resize_file(path, 1000);
  try {
    run("x", {"-r"});
    FAIL() << "no error";
  } catch (const core::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("x-checkpoint.pth.tar: "));
    EXPECT_THAT(error.details(), HasSubstr("x-checkpoint-previous.pth.tar: "));
  }
}

TEST_F(ResumeTest, AMissingNewestStateIsNoReasonToBeginAgain) {
  run_until(8, "x", {"--save_every", "1"});
  fs::remove(checkpoint("x"));
  EXPECT_EQ(run::find_start(configuration("x", {"-r"}).options).path, previous("x"));
}

class GpuResumeTest : public ResumeTest {
 protected:
  void SetUp() override {
    if (!torch::cuda::is_available()) GTEST_SKIP() << "no GPU";
  }
};

TEST_F(GpuResumeTest, AKilledRunEndsWithTheBytesOfOneNeverStopped) {
  for (const char* precision : {"fp32", "fp16"}) {
    const std::vector<std::string> same = {"-r",   "--save_every",    "1",           "--device",
                                           "cuda", "--deterministic", "--precision", precision};
    run("x", same);
    set_aside(precision);
    for (const int step : {1, 2, 3, 5}) run_until(step, "x", same);
    run("x", same);
    expect_same_files(precision);
    fs::remove_all(folder_ / "weights");
  }
}

}  // namespace
}  // namespace lowbit::train
