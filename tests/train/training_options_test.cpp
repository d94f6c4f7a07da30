// Whole runs with the options of the training step: that they do what they say, that a resumed run
// ends with the bits of one never stopped, and that a captured step is the eager one.
#include <gtest/gtest.h>
#include <torch/cuda.h>

#include <chrono>
#include <csignal>

#include "lowbit/core/error.h"
#include "lowbit/core/interrupt.h"
#include "trainer_fixture.h"

namespace lowbit::train {
namespace {

constexpr const char* kKeywords = "fashion,cbsa,origin,fix,singleconv,dorefa,lsq";

using Words = std::vector<std::string>;

class TrainingOptions : public TrainerTest {
 protected:
  // Of the checkpoint that a run of two epochs, three batches each, leaves.
  checkpoint::NamedTensors trained(const std::string& name, Words more) const {
    more.insert(more.end(), {"--epochs", "2"});
    run(name, std::move(more));
    return saved(name);
  }
  // The network with which every run here begins.
  checkpoint::NamedTensors untrained() const {
    Watcher watcher;
    const Trainer trainer(configuration("untrained", {}), watcher);
    checkpoint::NamedTensors tensors;
    for (const auto& [name, tensor] : checkpoint::named_tensors(trainer.network()))
      tensors.emplace_back(name, tensor.clone());
    return tensors;
  }
  static bool same_bits(const checkpoint::NamedTensors& a, const checkpoint::NamedTensors& b) {
    for (size_t i = 0; i < a.size(); ++i)
      if (!torch::equal(a[i].second, b[i].second)) return false;
    return a.size() == b.size();
  }
  static torch::Tensor tensor(const checkpoint::NamedTensors& tensors, const std::string& name) {
    for (const auto& [each, value] : tensors)
      if (each == name) return value;
    throw std::out_of_range(name);
  }
  Words keyword(const std::string& word) const {
    return {"--keyword", std::string(kKeywords) + "," + word};
  }
};

struct OptionRow {
  const char* name;
  Words words;
};
void PrintTo(const OptionRow& row, std::ostream* out) {
  *out << row.name;
}

const OptionRow kRows[] = {
    {"IterSize", {"--iter-size", "2"}},
    {"GradClip", {"--grad_clip", "0.1"}},
    {"Adam", {"--optimizer", "ADAM", "--lr", "1e-3"}},
    {"Warmup", {"--warmup", "4"}},
    {"Wakeup", {"--wakeup", "5"}},
    {"Sgdr", {"--lr_policy", "sgdr", "--lr_custom_step", "1"}},
    {"SgdrStep", {"--lr_policy", "sgdr_step", "--lr_custom_step", "1", "--lr_decay", "0.1"}},
    {"StableEpoch", {"--stable_epoch", "1"}},
    {"CustomLr", {"--custom_lr_list", "clip_val", "--custom_lr", "1e-4"}},
    {"LabelSmooth", {"--keyword", "fashion,cbsa,origin,fix,singleconv,dorefa,lsq,label-smooth"}},
    {"FocalLoss", {"--keyword", "fashion,cbsa,origin,fix,singleconv,dorefa,lsq,focal-loss"}},
    {"Mixup", {"--mixup_enable"}},
};

class EachOption : public TrainingOptions, public testing::WithParamInterface<OptionRow> {};

TEST_P(EachOption, ChangesTheRunAndIsTheSameAfterAStopInMidEpoch) {
  const checkpoint::NamedTensors whole = trained("whole", GetParam().words);
  EXPECT_FALSE(same_bits(whole, trained("plain", {})));
  core::catch_interrupts();
  int steps = 0;
  Words words = GetParam().words;
  words.insert(words.end(), {"--epochs", "2"});
  const run::RunResult stopped = run("stopped", words, [&steps](const run::Progress& progress) {
    if (progress.training && ++steps == 4) std::raise(SIGINT);
  });
  EXPECT_EQ(stopped.interrupted, SIGINT);
  core::catch_interrupts();  // clears the flag
  words.emplace_back("--resume");
  EXPECT_EQ(run("stopped", words).interrupted, 0);
  expect_same_bits(whole, saved("stopped"));
}

TEST_P(EachOption, IsTheSameInAGraphAndEagerly) {
  if (!torch::cuda::is_available()) GTEST_SKIP() << "no GPU";
  for (const char* precision : {"fp32", "fp16"}) {
    const auto with = [&](const char* mode) {
      Words words = GetParam().words;
      words.insert(words.end(), {"--device", "cuda", "--deterministic", "--precision", precision,
                                 "--step", mode});
      return words;
    };
    expect_same_bits(trained("graph", with("graph")), trained("eager", with("eager")));
  }
}

INSTANTIATE_TEST_SUITE_P(Of, EachOption, testing::ValuesIn(kRows),
                         [](const auto& row) { return row.param.name; });

TEST_F(TrainingOptions, ExtraEpochsComeBehindTheOthers) {
  int last = -1;
  run("extra", {"--epochs", "1", "--extra_epoch", "2"}, [&last](const run::Progress& progress) {
    if (!progress.training) return;
    last = progress.epoch;
    EXPECT_EQ(progress.epochs, 3);
  });
  EXPECT_EQ(last, 2);
}

TEST_F(TrainingOptions, CopiesAreNamedByTheEpochCountedFromZero) {
  run("copies", {"--epochs", "2", "--extra_epoch", "1", "--stable_epoch", "1"});
  const auto copy = [&](int epoch) {
    return fs::exists(folder_ / "weights" / "resnet20" /
                      ("copies-epoch" + std::to_string(epoch) + "-checkpoint.pth.tar"));
  };
  EXPECT_TRUE(copy(0));  // stable_epoch
  EXPECT_TRUE(copy(1));  // epochs, and stable_epoch + extra_epoch
  EXPECT_TRUE(copy(2));  // the last of all
  EXPECT_FALSE(copy(3));
}

TEST_F(TrainingOptions, WarmUpMovesOnlyStatistics) {
  const checkpoint::NamedTensors one = trained("one", {"--warmup_epoch", "1"});
  const checkpoint::NamedTensors all = trained("all", {"--warmup_epoch", "2"});
  const checkpoint::NamedTensors start = untrained();
  EXPECT_TRUE(torch::equal(tensor(all, "conv1.weight"), tensor(start, "conv1.weight")));
  EXPECT_FALSE(torch::equal(tensor(one, "conv1.weight"), tensor(start, "conv1.weight")));
  EXPECT_EQ(tensor(all, "bn1.0.num_batches_tracked").item<int64_t>(), 6);
  EXPECT_FALSE(
      torch::equal(tensor(all, "bn1.0.running_mean"), tensor(start, "bn1.0.running_mean")));
}

TEST_F(TrainingOptions, StableEpochsAreTheirIterations) {
  expect_same_bits(trained("epochs", {"--stable_epoch", "1"}),
                   trained("batches", {"--stable", "3"}));
}

TEST_F(TrainingOptions, QuantWeightKeepsAConstantRateForTheWeightAndItsQuantizer) {
  const checkpoint::NamedTensors still =
      trained("still", {"--custom_lr_list", "quant_weight", "--custom_lr", "0"});
  const checkpoint::NamedTensors start = untrained();
  for (const char* name : {"layer1.0.conv1.0.weight", "layer1.0.conv1.0.quant_weight.clip_val"})
    EXPECT_TRUE(torch::equal(tensor(still, name), tensor(start, name))) << name;
  for (const char* name : {"conv1.weight", "layer1.0.conv1.0.quant_activation.clip_val"})
    EXPECT_FALSE(torch::equal(tensor(still, name), tensor(start, name))) << name;
}

TEST_F(TrainingOptions, ValidationCountsPlainCrossEntropy) {
  const run::RunResult smooth = run("smooth", [&] {
    Words words = keyword("label-smooth");
    words.insert(words.end(), {"--epochs", "1", "--label_smooth", "0.9", "--mixup_enable"});
    return words;
  }());
  Watcher watcher;
  Trainer plain(configuration("other", {"--pretrained", checkpoint("smooth").string()}), watcher);
  EXPECT_EQ(plain.evaluate().loss, smooth.last->loss);
}

TEST_F(TrainingOptions, DelayPausesAfterEachIteration) {
  const auto start = std::chrono::steady_clock::now();
  run("slow", {"--epochs", "1", "--delay", "0.2"});  // three iterations
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(600));
}

TEST_F(TrainingOptions, CheckpointsHoldAdamsStateAsTorchDoes) {
  trained("adam", {"--optimizer", "ADAM"});
  const checkpoint::Value file = checkpoint::read_checkpoint(checkpoint("adam"));
  const checkpoint::Dict& optimizer =
      file.get<checkpoint::Dict>("file").at("optimizer").get<checkpoint::Dict>("optimizer");
  const checkpoint::Dict& state = optimizer.at("state").get<checkpoint::Dict>("state");
  const checkpoint::Dict& first = state.begin()->second.get<checkpoint::Dict>("0");
  EXPECT_EQ(first.at("step").get<torch::Tensor>("step").item<float>(), 6);
  for (const char* name : {"exp_avg", "exp_avg_sq"})
    EXPECT_GT(first.at(name).get<torch::Tensor>(name).abs().sum().item<float>(), 0);
  const checkpoint::Dict& group =
      optimizer.at("param_groups").get<checkpoint::List>("groups")[0].get<checkpoint::Dict>("0");
  EXPECT_EQ(group.at("betas").get<checkpoint::Tuple>("betas").items[1].get<double>("beta2"), 0.999);
  EXPECT_EQ(group.at("lr").get<double>("lr"), 0.05);
}

class Distillation : public TrainingOptions {
 protected:
  // More words, with those that name a teacher.
  Words teacher(Words more) const {
    if (!fs::exists(checkpoint("teacher"))) run("teacher", {"--epochs", "1"});
    more.insert(more.end(), {"--distill_teacher", "resnet20", "--distill_weights",
                             "teacher-checkpoint.pth.tar"});
    return more;
  }
  static std::string error_of(const std::function<void()>& call) {
    try {
      call();
    } catch (const core::Error& error) {
      return error.what();
    }
    return "";
  }
};

TEST_F(Distillation, OfEveryKindChangesTheRunAndStaysTheSameAfterAResume) {
  checkpoint::NamedTensors before = trained("plain", {});
  for (const char* kind : {"soft", "soft-b", "hard"}) {
    const Words words = teacher({"--distill_loss_alpha", "0.9", "--distill_loss_type", kind});
    const checkpoint::NamedTensors whole = trained("whole", words);
    EXPECT_FALSE(same_bits(whole, before)) << kind;
    before = whole;
    Words first = words, second = words;
    first.insert(first.end(), {"--epochs", "1"});
    second.insert(second.end(), {"--epochs", "2", "--resume"});
    run("parts", first);
    run("parts", second);
    expect_same_bits(whole, saved("parts"));
  }
}

TEST_F(Distillation, WithoutAShareIsThePlainRun) {
  expect_same_bits(trained("no-share", teacher({"--distill_loss_alpha", "0"})),
                   trained("plain", {}));
}

// Which says nothing of quantizers: it is a network in full precision.
TEST_F(Distillation, TheTeacherMayBeAnotherProgramsFile) {
  const Words named = teacher({"--distill_loss_alpha", "0.9"});
  const fs::path bare = folder_ / "bare.pth";
  checkpoint::write_checkpoint(bare, checkpoint::to_dict(saved("teacher")));
  const checkpoint::NamedTensors learned =
      trained("bare", {"--distill_loss_alpha", "0.9", "--distill_teacher", "resnet20",
                       "--distill_weights", bare.string()});
  EXPECT_FALSE(same_bits(learned, trained("ours", named)));
  EXPECT_FALSE(same_bits(learned, trained("plain", {})));
}

TEST_F(Distillation, ATeacherThatDoesNotFitIsNamed) {
  const Words named = teacher({});
  const auto error = [&](Words words) {
    return error_of([&] { run("student", std::move(words)); });
  };
  EXPECT_NE(error({"--distill_teacher", "resnet20", "--distill_weights", "missing.pth"})
                .find("no file 'missing.pth'"),
            std::string::npos);
  EXPECT_NE(
      error({"--distill_teacher", "resnet32", "--distill_weights", checkpoint("teacher").string()})
          .find("is no resnet32: it is a resnet20"),
      std::string::npos);
  const fs::path bare = folder_ / "bare.pth";
  checkpoint::write_checkpoint(bare, checkpoint::to_dict(saved("teacher")));
  EXPECT_NE(error({"--distill_teacher", "resnet32", "--distill_weights", bare.string()})
                .find("more entries of resnet32"),
            std::string::npos);
}

TEST_F(Distillation, IsTheSameInAGraphAndEagerly) {
  if (!torch::cuda::is_available()) GTEST_SKIP() << "no GPU";
  const auto with = [&](const char* mode) {
    return teacher(
        {"--device", "cuda", "--deterministic", "--distill_loss_alpha", "0.9", "--step", mode});
  };
  expect_same_bits(trained("graph", with("graph")), trained("eager", with("eager")));
}

}  // namespace
}  // namespace lowbit::train
