// lowbit eval: checkpoints with and without a description of their network.
#include <gmock/gmock.h>

#include "program.h"

namespace lowbit {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

class Eval : public Program {
 protected:
  Eval() { train_once(); }
  Finished eval(const std::string& file, const std::vector<std::string>& options) const {
    std::vector<std::string> arguments = {"eval", file};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return run(arguments);
  }
  static std::string result(const Finished& finished) {
    const size_t line = finished.out.find("evaluate accuracy on dataset: top1(");
    return line == std::string::npos ? finished.err : finished.out.substr(line);
  }
  // The tensors alone, as another program would have saved them.
  std::string bare() const {
    EXPECT_EQ(run({"tools", "save", "--old", checkpoint_, "--new", "bare.pth"}).status, 0);
    return "bare.pth";
  }

  const std::vector<std::string> network_ = [] {
    std::vector<std::string> options = kNetwork;
    options.insert(options.end(), {"--root", "set", "--device", "cpu"});
    return options;
  }();
};

TEST_F(Eval, NeedsNothingBesideACheckpointOfOurs) {
  const Finished alone = eval(checkpoint_, {});
  EXPECT_EQ(alone.status, 0) << alone.err;
  EXPECT_THAT(result(alone), ContainsRegex("^evaluate accuracy on dataset: top1\\([0-9.]+\\) "
                                           "top5\\([0-9.]+\\)\n$"));
}

// The run's --root is relative.
TEST_F(Eval, FindsTheDataSetFromAnotherFolder) {
  const Finished here = eval(checkpoint_, {});
  const fs::path run_folder = folder_;
  fs::create_directory(folder_ / "elsewhere");
  folder_ /= "elsewhere";
  const Finished elsewhere = eval("../" + checkpoint_.string(), {});
  folder_ = run_folder;
  EXPECT_EQ(elsewhere.status, 0) << elsewhere.err;
  EXPECT_EQ(result(elsewhere), result(here));
}

TEST_F(Eval, TakesTheNetworkOfABareFileFromTheOptions) {
  const Finished described = eval(checkpoint_, {});
  const Finished by_options = eval(bare(), network_);
  EXPECT_EQ(by_options.status, 0) << by_options.err;
  EXPECT_EQ(result(by_options), result(described));
}

TEST_F(Eval, EvaluatesTheFileThatIsNamedAndNoOtherOfThatName) {
  const Finished described = eval(checkpoint_, {});
  fs::create_directories(folder_ / "weights/resnet20");
  const std::string file = bare();
  write("weights/resnet20/bare.pth", "no checkpoint");
  EXPECT_EQ(result(eval(file, network_)), result(described));
}

TEST_F(Eval, OfABareFileWithoutOptionsIsAnErrorWithAnExample) {
  const Finished failed = eval(bare(), {});
  EXPECT_EQ(failed.status, 2);
  EXPECT_THAT(first_line(failed.err), HasSubstr("bare.pth: does not describe its network"));
  EXPECT_THAT(failed.err, HasSubstr("--model resnet20"));
}

TEST_F(Eval, RefusesANetworkThatTheFileDoesNotFill) {
  std::vector<std::string> options = network_;
  options.insert(options.end(), {"--num_classes", "12"});
  const Finished classes = eval(bare(), options);
  EXPECT_EQ(classes.status, 2);
  EXPECT_THAT(
      first_line(classes.err.substr(classes.err.find("lowbit: "))),
      HasSubstr("bare.pth: does not fit the network: fc.weight [12, 32], in the file [10, 32]"));
  EXPECT_THAT(classes.err, HasSubstr("--num_classes"));
}

TEST_F(Eval, RefusesTooFewClassesAndAnotherInputSize) {
  const Finished classes = eval(checkpoint_, {"--num_classes", "7"});
  EXPECT_EQ(classes.status, 2);
  EXPECT_THAT(classes.err, HasSubstr("7 classes are too few: data set 'fashion' has 10"));
  const Finished size = eval(checkpoint_, {"--input_size", "64"});
  EXPECT_EQ(size.status, 2);
  EXPECT_THAT(size.err, HasSubstr("input size 64 is impossible"));
}

TEST_F(Eval, RefusesADataSetWhoseClassesAreOthers) {
  fs::create_directories(folder_ / "cifar");
  write("cifar/test_batch.bin", std::string(4 * 3073, '\1'));
  const std::vector<std::string> cifar = {"--dataset", "cifar10", "--root", "cifar"};
  const Finished numbered = eval(checkpoint_, cifar);
  EXPECT_EQ(numbered.status, 0) << "without names there is nothing to compare: " << numbered.err;
  write("cifar/batches.meta.txt",
        "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n");
  const Finished named = eval(checkpoint_, cifar);
  EXPECT_EQ(named.status, 2);
  EXPECT_THAT(named.err, HasSubstr("in the checkpoint and 'airplane' in the data set"));
}

TEST_F(Eval, KeepsTheNormalizationOfTheRun) {
  // Long enough to tell classes apart.
  const Finished trained = run({"train", "config.lsq", "--mean", ".1,.1,.1", "--case", "other"});
  ASSERT_EQ(trained.status, 0) << trained.err;
  const std::string other = "weights/resnet20/other-checkpoint.pth.tar";
  EXPECT_EQ(result(eval(other, {})), result(eval(other, {"--mean", ".1,.1,.1"})));
  EXPECT_NE(result(eval(other, {})), result(eval(other, {"--mean", "9,9,9"})));
}

TEST_F(Program, EvalHelpListsItsOptions) {
  const Finished help = run({"eval", "-h"});
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(help.out, HasSubstr("--val_batch_size"));
}

}  // namespace
}  // namespace lowbit
