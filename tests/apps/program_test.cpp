// The program as its users start it: arguments, status, output, files.
#include "program.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <thread>

namespace lowbit {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST_F(Program, TheKeywordLrTestOnlyPrintsTheScheduleAndNeedsNoData) {
  const Finished done = run({"train", "config.lsq", "--root", "nowhere", "--epochs", "2",
                             "--extra_epoch", "1", "--lr_policy", "decay", "--lr_decay", "0.5",
                             "--keyword", "fashion,cbsa,origin,dorefa,lsq,lr-test"});
  EXPECT_EQ(done.status, 0) << done.err;
  for (const char* line : {"epoch   0: lr 0.1", "epoch   1: lr 0.05", "epoch   2: lr 0.05"})
    EXPECT_THAT(done.out + done.err, HasSubstr(line));
  EXPECT_FALSE(fs::exists(folder_ / "weights"));
}

TEST_F(Program, ItsHelpFitsAScreen) {
  const Finished help = run({"-h"});
  EXPECT_EQ(help.status, 0);
  EXPECT_EQ(help.err, "");
  EXPECT_LE(std::ranges::count(help.out, '\n'), 24);
  for (size_t begin = 0; begin < help.out.size();) {
    const size_t end = help.out.find('\n', begin);
    EXPECT_LE(end - begin, 80) << help.out.substr(begin, end - begin);
    begin = end + 1;
  }
}

TEST_F(Program, WithoutArgumentsShowsItsHelpAsAnError) {
  const Finished none = run({});
  EXPECT_EQ(none.status, 2);
  EXPECT_EQ(none.out, "");
  EXPECT_THAT(none.err, HasSubstr("usage:"));
}

TEST_F(Program, LearnsSavesAndEvaluatesToTheSameAccuracy) {
  const Finished trained = run({"train", "config.lsq"});
  ASSERT_EQ(trained.status, 0) << trained.err;
  const std::string accuracy = number_after(trained.out, "quantized network +");
  EXPECT_EQ(accuracy, number_after(trained.out, "\\[epoch 15\\]: test_acc "));
  EXPECT_GE(std::stod(accuracy), 80) << "of ten classes, each with five copies of one image";
  EXPECT_THAT(trained.out, HasSubstr("2-bit weights, 2-bit activations"));
  EXPECT_THAT(trained.out, ContainsRegex("size +[0-9.]+ kB as float32, [0-9.]+ kB packed"));
  EXPECT_THAT(trained.out, HasSubstr(checkpoint_.string()));
  EXPECT_TRUE(fs::exists(folder_ / checkpoint_));
  // The log says what every option was and how every epoch went.
  const std::string log = read(folder_ / "exp/resnet20/small/train.log");
  EXPECT_THAT(log, ContainsRegex("--width_alpha +0.125 +\\(config.lsq:10\\)"));
  EXPECT_THAT(log, ContainsRegex("\\[epoch 0\\]: train_loss [0-9.]+"));

  const Finished evaluated = run({"eval", checkpoint_.string(), "--device", "cpu"});
  ASSERT_EQ(evaluated.status, 0) << evaluated.err;
  EXPECT_EQ(number_after(evaluated.out, "top1\\("), accuracy);
  const Finished as_option =
      run({"train", "config.lsq", "-e", "--pretrained", checkpoint_.string()});
  EXPECT_EQ(number_after(as_option.out, "top1\\("), accuracy) << as_option.err;
}

TEST_F(Program, ADryRunWritesNothing) {
  const auto before = files();
  const Finished dry = run({"train", "config.lsq", "--dry-run", "--pack"});
  EXPECT_EQ(dry.status, 0) << dry.err;
  EXPECT_THAT(dry.out, HasSubstr("epoch  15: lr"));
  auto after = files();
  std::erase_if(after, [](const fs::path& file) { return file == "out" || file == "err"; });
  EXPECT_EQ(after, before);
}

TEST_F(Program, DryRunsConfigFilesOfTheOlderToolbox) {
  const fs::path old = fs::path(LOWBIT_SOURCE_DIR) / "tests/config/fixtures/old";
  for (const char* name : {"config.dorefa.eval.dali.2bit.resnet18",
                           "config.ldq.lsq.finetune.cifar100.2bit.resnet20.cbsa.ca",
                           "config.lsq.finetune.cifar10.4bit.resnet20-policy",
                           "config.dorefa.train-scratch.imagenet.2bit.mobilenetv2-focal"}) {
    const Finished dry = run({"train", (old / name).string(), "--dry-run"});
    EXPECT_EQ(dry.status, 0) << name << ": " << dry.err;
    EXPECT_THAT(dry.out, HasSubstr("network: ")) << name;
  }
}

TEST_F(Program, StopsOnCtrlCWithACheckpointAndGoesOnToTheSameNetwork) {
  ASSERT_EQ(run({"train", "config.lsq", "--epochs", "4"}).status, 0);
  const std::string never_stopped = read(folder_ / "exp/resnet20/small/train.log");
  fs::remove_all(folder_ / "weights");
  fs::remove_all(folder_ / "exp");
  fs::remove(folder_ / "out");

  const pid_t child = start({"train", "config.lsq", "--epochs", "4", "--pack"});
  while (read(folder_ / "out").find("[epoch 0]: train_loss") == std::string::npos && runs(child))
    std::this_thread::yield();
  ::kill(child, SIGINT);
  const Finished stopped = finish(child);
  EXPECT_EQ(stopped.status, 130) << stopped.err;
  EXPECT_THAT(stopped.out, HasSubstr("stopped by signal 2"));
  ASSERT_TRUE(fs::exists(folder_ / checkpoint_));
  EXPECT_FALSE(fs::exists(folder_ / packed_)) << "what has not ended is not packed";

  const Finished resumed = run({"train", "config.lsq", "--epochs", "4", "-r"});
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  const std::string log = read(folder_ / "exp/resnet20/small/train.log");
  for (const char* mark : {"\\[epoch 3\\]: train_loss ", "\\[epoch 3\\]: test_acc "})
    EXPECT_EQ(number_after(log, mark), number_after(never_stopped, mark));
}

TEST_F(Program, AFullDiskLeavesTheCheckpointBefore) {
  ASSERT_EQ(run({"train", "config.lsq", "--epochs", "1"}).status, 0);
  const std::string before = read(folder_ / checkpoint_);
  const auto files_before = files();
  const Finished full = run({"train", "config.lsq", "--epochs", "1", "--seed", "7"}, 65536);
  EXPECT_EQ(full.status, 1);
  EXPECT_THAT(first_line(full.err), HasSubstr("small-checkpoint.pth.tar"));
  EXPECT_EQ(read(folder_ / checkpoint_), before);
  auto files_after = files();
  std::erase(files_after, "exp/resnet20/small/train.log.old");
  EXPECT_EQ(files_after, files_before) << "nothing half-written stays behind";
}

TEST_F(Program, GoesOnFromItsLastGoodStateOnceADiskIsNoLongerFull) {
  ASSERT_EQ(run({"train", "config.lsq", "--epochs", "3"}).status, 0);
  const std::string never_stopped = read(folder_ / checkpoint_);
  ASSERT_EQ(run({"train", "config.lsq", "--epochs", "1"}).status, 0);
  const std::vector<std::string> go_on = {"train", "config.lsq", "--epochs", "3", "-r"};
  const Finished full = run(go_on, 65536);
  EXPECT_EQ(full.status, 1);
  EXPECT_EQ(std::ranges::count(full.err, '\n'), 1) << full.err;
  const Finished resumed = run(go_on);
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_THAT(resumed.out, HasSubstr("going on in epoch 1"));
  EXPECT_EQ(read(folder_ / checkpoint_), never_stopped);
  const std::string log = read(folder_ / "exp/resnet20/small.log");
  for (const char* mark : {"[epoch 0]: train_loss", "[epoch 1]: train_loss", "[epoch 2]: test_acc"})
    EXPECT_EQ(log.find(mark), log.rfind(mark)) << mark << " is there twice";
}

TEST_F(Program, AResumedDamagedCheckpointIsOneWarningAndTheStateBeforeItGoesOn) {
  ASSERT_EQ(run({"train", "config.lsq", "--epochs", "3"}).status, 0);
  const std::string never_stopped = read(folder_ / checkpoint_);
  fs::resize_file(folder_ / checkpoint_, 5000);
  const Finished resumed = run({"train", "config.lsq", "--epochs", "3", "-r"});
  EXPECT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_THAT(first_line(resumed.err), ContainsRegex("warning: .*small-checkpoint.pth.tar: .*"
                                                     "small-checkpoint-previous.pth.tar"));
  EXPECT_EQ(read(folder_ / checkpoint_), never_stopped);
}

TEST_F(Program, ASecondRunOfTheSameCaseIsToldWhoseFilesTheyAre) {
  const pid_t first = start({"train", "config.lsq", "--epochs", "400"});
  while (!fs::exists(folder_ / checkpoint_) && runs(first)) std::this_thread::yield();
  const std::string log = read(folder_ / "exp/resnet20/small.log");
  const Finished second = run({"train", "config.lsq", "--epochs", "1"});
  EXPECT_EQ(second.status, 1);
  EXPECT_THAT(first_line(second.err), HasSubstr("is in use by process " + std::to_string(first)));
  EXPECT_THAT(read(folder_ / "exp/resnet20/small.log"), StartsWith(log)) << "not touched";
  EXPECT_TRUE(runs(first));
  ::kill(first, SIGKILL);
  finish(first);
  const Finished third = run({"train", "config.lsq", "--epochs", "1"});
  EXPECT_EQ(third.status, 0) << third.err;
  EXPECT_FALSE(fs::exists(folder_ / "weights/resnet20/small.lock"));
}

TEST_F(Program, NamesTheLayerOfALossThatIsNotFinite) {
  const Finished failed = run({"train", "config.lsq", "--lr", "1e30"});
  EXPECT_EQ(failed.status, 1);
  EXPECT_THAT(first_line(failed.err),
              ContainsRegex("the loss is not finite in epoch 0, iteration [0-9]+: first in layer"));
}

TEST_F(Program, SaysItsVersion) {
  const Finished version = run({"--version"});
  EXPECT_EQ(version.status, 0);
  EXPECT_THAT(version.out, testing::MatchesRegex("lowbit [0-9]+[.][0-9.]+\n"));
}

TEST_F(Program, TakesOptionsBeforeTheFile) {
  const Finished dry = run({"train", "--epochs", "3", "-g", "0", "config.lsq", "--dry-run"});
  EXPECT_EQ(dry.status, 0) << dry.err;
  EXPECT_THAT(dry.out, ContainsRegex("--epochs +3 +\\(command line\\)"));
  EXPECT_THAT(dry.out, ContainsRegex("--case +small"));
  EXPECT_EQ(run({"summary", "--wt_bit", "4", "config.lsq"}).out,
            run({"summary", "config.lsq", "--wt_bit", "4"}).out);
}

TEST_F(Program, TakesTheDefaultConfigWhereNoneIsNamed) {
  write("other", read(folder_ / "config.lsq") + "case='other'\n");
  prepare_ = [] { ::setenv("LOWBIT_DEFAULT_CONFIG", "config.lsq", 1); };
  const std::vector<std::string> options = {"train", "--lr", "1", "--verbose", "--dry-run"};
  EXPECT_THAT(run(options).out, ContainsRegex("--case +small +\\(config.lsq:5\\)"));
  std::vector<std::string> named = options;
  named.push_back("other");
  EXPECT_THAT(run(named).out, ContainsRegex("--case +other +\\(other:"));
}

TEST_F(Program, EvaluatesTheRunsOwnCheckpoint) {
  const Finished nothing = run({"train", "config.lsq", "-e"});
  EXPECT_EQ(nothing.status, 1);
  EXPECT_THAT(first_line(nothing.err),
              HasSubstr("--evaluate: no file './weights/resnet20/small-checkpoint.pth.tar'"));
  const Finished trained = run({"train", "config.lsq", "--epochs", "2"});
  ASSERT_EQ(trained.status, 0) << trained.err;
  const Finished evaluated = run({"train", "config.lsq", "-e"});
  EXPECT_EQ(evaluated.status, 0) << evaluated.err;
  EXPECT_EQ(number_after(evaluated.out, "top1\\("),
            number_after(trained.out, "\\[epoch 1\\]: test_acc "));
  const Finished other = run({"train", "config.lsq", "-e", "--width_alpha", "0.25"});
  EXPECT_NE(other.status, 0) << "random weights must not be evaluated";
  EXPECT_THAT(first_line(other.err), HasSubstr("small-checkpoint.pth.tar"));
}

struct RefusedCall {
  const char* name;
  std::vector<std::string> arguments;
  int status;
  const char* first_line;  // regular expression
  std::string anywhere = "";
};

void PrintTo(const RefusedCall& refused, std::ostream* out) {
  *out << refused.name;
}

TEST_F(Program, SummaryOfAConfigNeedsNeitherDataNorWeights) {
  write("config.large",
        "dataset='imagenet'\nroot=nowhere\nmodel='mobilenetv2'\npretrained=none.pth\n"
        "keyword='imagenet,cbas,dorefa,lsq'\n"
        "options='--width_alpha 0.25 --fm_enable --fm_bit 2 --wt_enable --wt_bit 2'\n");
  const Finished summary = run({"summary", "config.large", "--wt_bit", "4"});
  EXPECT_EQ(summary.status, 0) << summary.err;
  EXPECT_THAT(summary.out, HasSubstr("mobilenetv2: order cbas, width 0.25, 1000 classes"));
  EXPECT_THAT(summary.out, ContainsRegex("features.2.conv2 +depthwise +24x112x112 +24x56x56 "
                                         "+24x1x3x3 +2 +W4A2"));
}

TEST_F(Program, SummaryShowsTheGraphAsTextOrPicture) {
  const Finished text = run({"summary", "--graph", "config.lsq"});
  EXPECT_EQ(text.status, 0) << text.err;
  EXPECT_THAT(text.out, ContainsRegex("\nlayer2.0.conv1.0 : [[]16, 16, 16[]] = "
                                      "convolution[(]layer2.0.conv1.0.quant_activation, "
                                      "layer2.0.conv1.0.quant_weight[)] stride 2 padding 1\n"));
  const Finished picture = run({"summary", "config.lsq", "--graph", "net.svg"});
  EXPECT_EQ(picture.status, 0) << picture.err;
  EXPECT_THAT(read(folder_ / "net.svg"), HasSubstr(">layer2.0.conv1.0</text>"));
  EXPECT_NE(run({"summary", "config.lsq", "--graph", "nowhere/net.svg"}).status, 0);
}

TEST_F(Program, AGraphThatCannotBeWritten_IsKnownBeforeTheNetwork) {
  fs::create_directory(folder_ / "net.svg");
  const Finished failed = run({"summary", "no_such_config", "--graph", "net.svg"});
  EXPECT_EQ(failed.status, 1);
  EXPECT_EQ(failed.err, "lowbit: cannot write 'net.svg': it is a folder\n");
}

TEST_F(Program, SummaryOfACheckpointIsThatOfItsRun) {
  train_once();
  EXPECT_EQ(run({"summary", "--graph", checkpoint_}).out,
            run({"summary", "--graph", "config.lsq"}).out);
  const Finished of_checkpoint = run({"summary", checkpoint_});
  EXPECT_EQ(of_checkpoint.status, 0) << of_checkpoint.err;
  const Finished of_config = run({"summary", "config.lsq"});
  EXPECT_THAT(of_config.out, HasSubstr("W2A2"));
  EXPECT_EQ(of_checkpoint.out, of_config.out);
  EXPECT_EQ(of_checkpoint.err, of_config.err);
}

TEST_F(Program, ReportsOnARunInItsFolder) {
  ASSERT_EQ(run({"train", "config.lsq", "--epochs", "2"}).status, 0);
  const Finished one = run({"report", "exp/resnet20/small"});
  EXPECT_EQ(one.status, 0) << one.err;
  EXPECT_THAT(one.out, HasSubstr("wrote exp/resnet20/small/report.html"));
  const std::string page = read(folder_ / "exp/resnet20/small/report.html");
  EXPECT_THAT(page, HasSubstr("layer1.0.conv1"));
  EXPECT_THAT(page, HasSubstr("did not start from full-precision weights"));

  ASSERT_EQ(run({"train", "config.lsq", "--epochs", "1", "--case", "other", "--pretrained",
                 checkpoint_.string()})
                .status,
            0);
  const Finished both = run({"report", "exp", "-o", "both.html", "--device", "cpu"});
  EXPECT_EQ(both.status, 0) << both.err;
  const std::string of_both = read(folder_ / "both.html");
  EXPECT_THAT(of_both, HasSubstr("Options that differ"));
  EXPECT_THAT(of_both, HasSubstr("images went from right to wrong"));
  const Finished of_checkpoint = run({"report", checkpoint_, "--no-images"});
  EXPECT_EQ(of_checkpoint.status, 0) << of_checkpoint.err;
}

const std::string kForeign =
    std::string(LOWBIT_SOURCE_DIR) + "/tests/checkpoint/fixtures/small.zip.pt";

class BadInput : public Program, public testing::WithParamInterface<RefusedCall> {};

TEST_P(BadInput, IsOneClearLineAndWritesNothing) {
  write("config.typo", "dataset=fashion\n\noptions='--fm_bitt 2'\n");
  write("config.keyword", "dataset=fashion\nkeyword='cbsa,lsqq'\n");
  write("a_file", "no folder");
  const auto before = files();
  const Finished failed = run(GetParam().arguments);
  EXPECT_EQ(failed.status, GetParam().status);
  EXPECT_THAT(first_line(failed.err), StartsWith("lowbit: "));
  EXPECT_THAT(first_line(failed.err), ContainsRegex(GetParam().first_line));
  EXPECT_THAT(failed.err, HasSubstr(GetParam().anywhere));
  auto after = files();
  std::erase_if(after, [](const fs::path& file) { return file == "out" || file == "err"; });
  EXPECT_EQ(after, before);
}

INSTANTIATE_TEST_SUITE_P(
    Arguments, BadInput,
    testing::Values(
        RefusedCall{"verb", {"trian"}, 2, "unknown verb 'trian'", "train"},
        RefusedCall{"export_of_nothing", {"export"}, 2, "export: checkpoint is required"},
        RefusedCall{"two_configs", {"train", "config.lsq", "--lr", "1", "b"}, 2, "'b' is a second"},
        RefusedCall{"binary", {"train", LOWBIT_PROGRAM}, 2, "it is no config file"},
        RefusedCall{"no_config", {"train", "config.none"}, 2, "config.none"},
        RefusedCall{"number", {"train", "config.lsq", "--lr", "fast"}, 2, "--lr.*fast"},
        RefusedCall{"option", {"train", "config.typo"}, 2, "config.typo:3:.*--fm_bitt", "--fm_bit"},
        RefusedCall{"keyword", {"train", "config.keyword"}, 2, "config.keyword:2:.*lsqq", "lsq"},
        RefusedCall{"bits_0", {"train", "config.lsq", "--fm_bit", "0"}, 2, "--fm_bit.*0"},
        RefusedCall{"bits_9", {"train", "config.lsq", "--wt_bit", "9"}, 2, "--wt_bit.*9"},
        RefusedCall{"device", {"train", "config.lsq", "--device", "cuda"}, 2, "--device cuda"},
        RefusedCall{"weights", {"train", "config.lsq", "--weights_dir", "a_file/x"}, 1, "a_file"},
        RefusedCall{"data", {"train", "config.lsq", "--root", "nowhere"}, 1, "nowhere"},
        RefusedCall{"pretrained", {"train", "config.lsq", "--pretrained", "x.pth"}, 1, "x.pth"},
        RefusedCall{"no_network", {"summary", "config.none"}, 2, "config.none"},
        RefusedCall{"no_description", {"summary", kForeign}, 2, "small.zip.pt", "--model"},
        RefusedCall{"report_of_none", {"report"}, 2, "no run is given"},
        RefusedCall{"no_run", {"report", "a_filee"}, 1, "a_filee.*a_file"},
        RefusedCall{"report_option", {"report", "set", "--no-images", "--lr"}, 2, "--lr"},
        RefusedCall{"no_checkpoint", {"eval", "none.pth.tar"}, 1, "none.pth.tar"},
        RefusedCall{"no_pickle", {"eval", "a_file"}, 1, "a_file"}),
    [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace lowbit
