#include "lowbit/train/trainer.h"

#include <gtest/gtest.h>
#include <torch/cuda.h>

#include <csignal>
#include <fstream>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/core/interrupt.h"
#include "trainer_fixture.h"

namespace lowbit::train {
namespace {

TEST_F(TrainerTest, ItsCheckpointEvaluatesToTheSameAccuracy) {
  const run::RunResult result = run("learns", {"--epochs", "2"});
  ASSERT_TRUE(result.last);
  EXPECT_EQ(result.last->samples, 40);

  Watcher watcher;
  Trainer again(configuration("other", {"--pretrained", checkpoint("learns").string()}), watcher);
  const run::Accuracy accuracy = again.evaluate();
  EXPECT_EQ(accuracy.top1, result.last->top1);
  EXPECT_EQ(accuracy.loss, result.last->loss);
}

TEST_F(TrainerTest, TheSameSeedGivesTheSameBitsAndAnotherOneOthers) {
  run("a", {"--epochs", "1"});
  run("b", {"--epochs", "1"});
  run("c", {"--epochs", "1", "--seed", "3"});
  expect_same_bits(saved("a"), saved("b"));
  EXPECT_FALSE(torch::equal(saved("a")[0].second, saved("c")[0].second));
}

TEST_F(TrainerTest, AResumedRunEndsWithTheBitsOfOneNeverStopped) {
  run("whole");
  run("parts", {"--epochs", "2"});
  run("parts", {"--resume"});
  expect_same_bits(saved("whole"), saved("parts"));
}

TEST_F(TrainerTest, ASignalInMidEpochSavesAStateThatContinuesExactly) {
  run("whole");
  core::catch_interrupts();
  int steps = 0;
  const run::RunResult stopped = run("stopped", {}, [&steps](const run::Progress& progress) {
    if (progress.training && ++steps == 5) std::raise(SIGINT);
  });
  EXPECT_EQ(stopped.interrupted, SIGINT);
  core::catch_interrupts();  // clears the flag
  const checkpoint::Value file = checkpoint::read_checkpoint(checkpoint("stopped"));
  EXPECT_EQ(file.get<checkpoint::Dict>("file").at("epoch").get<int64_t>("epoch"), 1);

  EXPECT_EQ(run("stopped", {"--resume"}).interrupted, 0);
  expect_same_bits(saved("whole"), saved("stopped"));
}

// Three steps of the rate, the first before any training: the shares are those of schedule.h.
TEST_F(TrainerTest, ProxquantFollowsTheScheduleAndGoesOnWithItAfterAResume) {
  const std::vector<std::string> proxquant = {
      "--keyword", "fashion,cbsa,origin,fix,singleconv,dorefa,lsq,proxquant", "--ps", "4"};
  const auto shares = [&](const std::string& name, std::vector<std::string> more) {
    more.insert(more.end(), proxquant.begin(), proxquant.end());
    const Trainer* trainer = nullptr;
    std::vector<double> seen(4, -1);
    Watcher watcher([&](const run::Progress& progress) {
      if (!progress.training) return;
      for (const quant::Quantizer* quantizer : trainer->network().quantizers())
        seen[static_cast<size_t>(progress.epoch)] = quantizer->proxquant();
    });
    Trainer running(configuration(name, more), watcher);
    trainer = &running;
    running.train();
    return seen;
  };
  EXPECT_EQ(shares("whole", {}), (std::vector<double>{1, 0.75, 0.5, 0.25}));
  EXPECT_EQ(shares("parts", {"--epochs", "2"}), (std::vector<double>{1, 0.75, -1, -1}));
  EXPECT_EQ(shares("parts", {"--resume"}), (std::vector<double>{-1, -1, 0.5, 0.25}));
  expect_same_bits(saved("whole"), saved("parts"));
  EXPECT_EQ(shares("steps", {"--lr_policy", "custom_step", "--lr_custom_step", "1,3"}),
            (std::vector<double>{0.75, 0.5, 0.5, 0.25}));
}

// In its first epoch proxquant trains in full precision; what is evaluated is quantized even then.
TEST_F(TrainerTest, EvaluationWithProxquantIsThatOfTheQuantizedNetwork) {
  const std::string plain = "fashion,cbsa,origin,fix,singleconv,dorefa,lsq";
  const run::RunResult result = run("prox", {"--epochs", "1", "--keyword", plain + ",proxquant"});
  const auto evaluated = [&](const std::string& keyword) {
    Watcher watcher;
    return Trainer(configuration("other", {"--pretrained", checkpoint("prox").string(), "--keyword",
                                           keyword}),
                   watcher)
        .evaluate();
  };
  EXPECT_EQ(evaluated(plain + ",proxquant").loss, result.last->loss);
  EXPECT_NEAR(evaluated(plain).loss, result.last->loss, 1e-4);
}

TEST_F(TrainerTest, ALossThatIsNotFiniteIsNamedWithItsFirstLayerAndLeavesTheCheckpoint) {
  run("nan", {"--epochs", "1"});
  const std::string before = core::read_file(checkpoint("nan"));
  try {
    run("nan", {"--resume", "--epochs", "3", "--lr", "1e30"});
    FAIL() << "no error";
  } catch (const core::Error& error) {
    const std::string line = error.what();
    EXPECT_NE(line.find("the loss is not finite in epoch 1, iteration"), std::string::npos) << line;
    EXPECT_NE(line.find("layer '"), std::string::npos) << line;
    EXPECT_EQ(error.exit_status(), 1);
  }
  EXPECT_EQ(core::read_file(checkpoint("nan")), before);
}

// Without its quantizers a network made for them may leave the range of numbers.
TEST_F(TrainerTest, AFullPrecisionStartThatIsNotFiniteDoesNotStopTheRun) {
  run("start", {"--epochs", "1"});
  EXPECT_TRUE(run("finite", {"--epochs", "1", "--pretrained", checkpoint("start").string()})
                  .full_precision_start);
  const checkpoint::Value file = checkpoint::read_checkpoint(checkpoint("start"));
  for (const auto& [name, tensor] : checkpoint::state_dict(file))
    if (name.starts_with("layer") && name.find("conv") != std::string::npos && tensor.dim() == 4)
      tensor.mul_(1e12);
  checkpoint::write_checkpoint(checkpoint("start"), file);
  const run::RunResult result =
      run("huge", {"--epochs", "1", "--pretrained", checkpoint("start").string()});
  EXPECT_FALSE(result.full_precision_start);
  EXPECT_TRUE(result.last);
}

TEST_F(TrainerTest, AFolderThatCannotBeMadeIsNamedBeforeTrainingStarts) {
  std::ofstream(folder_ / "file") << "x";
  Watcher watcher;
  Trainer trainer(configuration("x", {"--weights_dir", (folder_ / "file").string()}), watcher);
  EXPECT_THROW(trainer.train(), core::Error);
}

TEST_F(TrainerTest, AFileOfAnotherNetworkIsNotResumed) {
  run("narrow", {"--epochs", "1"});
  EXPECT_THROW(run("narrow", {"--resume", "--model", "resnet32", "--resume_file",
                              checkpoint("narrow").string()}),
               core::Error);
}

class GpuTrainerTest : public TrainerTest {
 protected:
  void SetUp() override {
    if (!torch::cuda::is_available()) GTEST_SKIP() << "no GPU";
  }
};

TEST_F(GpuTrainerTest, GraphAndEagerStepsGiveTheSameBits) {
  const std::vector<std::string> common = {"--device", "cuda", "--deterministic", "--step"};
  auto with = [&](const char* mode) {
    std::vector<std::string> result = common;
    result.emplace_back(mode);
    return result;
  };
  run("graph", with("graph"));
  run("eager", with("eager"));
  expect_same_bits(saved("graph"), saved("eager"));
}

TEST_F(GpuTrainerTest, GraphAndEagerStepsGiveTheSameBitsInHalfPrecision) {
  for (const char* precision : {"fp16", "bf16"}) {
    run("graph",
        {"--device", "cuda", "--deterministic", "--precision", precision, "--step", "graph"});
    run("eager",
        {"--device", "cuda", "--deterministic", "--precision", precision, "--step", "eager"});
    expect_same_bits(saved("graph"), saved("eager"));
  }
}

// What decides about them changes on the device while the same captured step goes on.
TEST_F(GpuTrainerTest, GraphAndEagerStepsGiveTheSameBitsWithWarmUpAndProxquant) {
  for (const char* mode : {"graph", "eager"})
    run(mode, {"--device", "cuda", "--deterministic", "--step", mode, "--stable", "5", "--ps", "3",
               "--keyword", "fashion,cbsa,origin,fix,singleconv,dorefa,lsq,proxquant"});
  expect_same_bits(saved("graph"), saved("eager"));
}

// In float64: there no difference of rounding is large enough to move a value to another level.
TEST_F(GpuTrainerTest, FirstEpochOnGpuAndCpuAgree) {
  for (const char* device : {"cuda", "cpu"})
    run(device, {"--device", device, "--epochs", "1", "--precision", "fp64", "--step", "eager"});
  const checkpoint::NamedTensors gpu = saved("cuda"), cpu = saved("cpu");
  ASSERT_EQ(gpu.size(), cpu.size());
  for (size_t i = 0; i < gpu.size(); ++i)
    EXPECT_TRUE(torch::allclose(gpu[i].second, cpu[i].second, 1e-6, 1e-9)) << gpu[i].first;
}

TEST_F(GpuTrainerTest, AResumedGraphRunEndsWithTheBitsOfOneNeverStopped) {
  const std::vector<std::string> gpu = {"--device", "cuda", "--deterministic", "--precision",
                                        "fp16"};
  auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), gpu.begin(), gpu.end());
    return more;
  };
  run("whole", with({}));
  run("parts", with({"--epochs", "2"}));
  run("parts", with({"--resume"}));
  expect_same_bits(saved("whole"), saved("parts"));
}

}  // namespace
}  // namespace lowbit::train
