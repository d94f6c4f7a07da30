// Runs that another program began, and ours in another program: torch_load_test.py runs the tests
// of PyTorch with files that it writes and reads.
#include "lowbit/run/foreign_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "lowbit/core/error.h"
#include "lowbit/models/factory.h"
#include "trainer_fixture.h"

namespace lowbit::train {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class ForeignRun : public TrainerTest {
 protected:
  // A run of one epoch, and what it is after the second.
  void train_ours() const {
    run("ours", {"--epochs", "1"});
    fs::copy_file(checkpoint("ours"), folder_ / "one.pth");
    run("ours", {"--epochs", "2", "-r"});
  }
  run::RunResult go_on(const fs::path& file) const {
    return run("theirs", {"--epochs", "2", "-r", "--resume_file", file.string()});
  }
  checkpoint::Dict one() const {
    return checkpoint::read_checkpoint(folder_ / "one.pth").get<checkpoint::Dict>("file");
  }
};

// QTool numbers parameters in the order of the network, a group for each.
checkpoint::Dict in_order_of_network(const checkpoint::Dict& optimizer,
                                     const std::vector<std::string>& order) {
  const checkpoint::Dict& state = optimizer.at("state").get<checkpoint::Dict>("state");
  std::map<std::string, checkpoint::Value> by_name;
  for (const checkpoint::Value& group :
       optimizer.at("param_groups").get<checkpoint::List>("groups")) {
    const checkpoint::Dict& fields = group.get<checkpoint::Dict>("group");
    const checkpoint::List& names = fields.at("param_names").get<checkpoint::List>("names");
    for (const checkpoint::Value& name : names)
      by_name[name.get<std::string>("name")] = (state.begin() + by_name.size())->second;
  }
  checkpoint::Dict renumbered;
  checkpoint::List groups;
  for (const std::string& name : order) {
    if (!by_name.contains(name)) continue;
    const auto number = static_cast<int64_t>(renumbered.size());
    renumbered.set(number, by_name.at(name));
    groups.push_back(checkpoint::Dict{{"params", checkpoint::List{number}}});
  }
  return {{"state", renumbered}, {"param_groups", groups}};
}

checkpoint::Dict in_form_of_qtool(const checkpoint::Dict& ours) {
  checkpoint::Dict state;
  std::vector<std::string> order;
  for (const auto& [name, tensor] : ours.at("state_dict").get<checkpoint::Dict>("state_dict")) {
    order.push_back(name.get<std::string>("name"));
    state.set("module." + order.back(), tensor);
  }
  return {{"epoch", ours.at("epoch")},
          {"state_dict", state},
          {"optimizer",
           in_order_of_network(ours.at("optimizer").get<checkpoint::Dict>("optimizer"), order)},
          {"best_acc", ours.at("best_acc")}};
}

TEST_F(ForeignRun, OfQToolGoesOnAsOurOwn) {
  train_ours();
  checkpoint::write_checkpoint(folder_ / "qtool.pth", in_form_of_qtool(one()));
  EXPECT_EQ(go_on(folder_ / "qtool.pth").interrupted, 0);
  expect_same_bits(saved("ours"), saved("theirs"));
}

TEST_F(ForeignRun, WithNanAsItsBestFindsANewBest) {
  train_ours();
  checkpoint::Dict file = in_form_of_qtool(one());
  file.set("best_acc", std::numeric_limits<double>::quiet_NaN());
  checkpoint::write_checkpoint(folder_ / "qtool.pth", file);
  go_on(folder_ / "qtool.pth");
  const checkpoint::Value theirs = checkpoint::read_checkpoint(checkpoint("theirs"));
  const double best = theirs.get<checkpoint::Dict>("file").at("best_acc").get<double>("best_acc");
  EXPECT_FALSE(std::isnan(best));
}

TEST_F(ForeignRun, WithoutItsOptimizerGoesOnWithOtherMomenta) {
  train_ours();
  checkpoint::Dict file = in_form_of_qtool(one());
  file.set("optimizer", checkpoint::Value());
  checkpoint::write_checkpoint(folder_ / "qtool.pth", file);
  go_on(folder_ / "qtool.pth");
  EXPECT_FALSE(torch::equal(saved("ours")[0].second, saved("theirs")[0].second));
}

TEST_F(ForeignRun, OfAnotherOptimizerIsAnError) {
  train_ours();
  checkpoint::Dict file = in_form_of_qtool(one());
  file.set("optimizer",
           checkpoint::Dict{
               {"state",
                checkpoint::Dict{{int64_t{0}, checkpoint::Dict{{"exp_avg", torch::zeros({2})}}}}},
               {"param_groups",
                file.at("optimizer").get<checkpoint::Dict>("optimizer").at("param_groups")}});
  checkpoint::write_checkpoint(folder_ / "qtool.pth", file);
  try {
    go_on(folder_ / "qtool.pth");
    FAIL() << "no error";
  } catch (const core::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("qtool.pth: its optimizer is Adam"));
    EXPECT_THAT(error.details(), HasSubstr("--pretrained"));
  }
}

TEST_F(ForeignRun, WithoutAnEpochIsAnErrorThatSaysWhatToDo) {
  train_ours();
  checkpoint::write_checkpoint(folder_ / "bare.pth", one().at("state_dict"));
  try {
    go_on(folder_ / "bare.pth");
    FAIL() << "no error";
  } catch (const core::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("bare.pth: "));
    EXPECT_THAT(error.what(), HasSubstr("--pretrained"));
  }
}

// --- with files of torch_load_test.py ---

class PyTorchRun : public ForeignRun {
 protected:
  void SetUp() override {
    const char* folder = std::getenv("LOWBIT_PYTORCH_RUN");
    if (!folder) GTEST_SKIP() << "torch_load_test.py runs this";
    shared_ = folder;
  }
  std::vector<fs::path> theirs(const std::string& begin) const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(shared_))
      if (entry.path().filename().string().starts_with(begin)) files.push_back(entry.path());
    return files;
  }
  fs::path shared_;
};

TEST_F(PyTorchRun, GivesItsCheckpoints) {
  train_ours();
  fs::copy_file(folder_ / "one.pth", shared_ / "one.pth");
  fs::copy_file(checkpoint("ours"), shared_ / "two.pth");
}

TEST_F(PyTorchRun, GoesOnFromEachOfTheirFiles) {
  const auto files = theirs("run.");
  ASSERT_THAT(files, testing::SizeIs(4));
  for (const fs::path& file : files) {
    SCOPED_TRACE(file);
    go_on(file);
    expect_same_bits(saved("theirs"),
                     checkpoint::state_dict(checkpoint::read_checkpoint(shared_ / "two.pth")));
  }
}

TEST_F(PyTorchRun, StartsFromEachOfTheirFiles) {
  Watcher watcher;
  const auto loss = [&](const fs::path& file) {
    Trainer trainer(configuration("x", {"--pretrained", file.string()}), watcher);
    return trainer.evaluate().loss;
  };
  const auto files = theirs("weights.");
  ASSERT_THAT(files, testing::SizeIs(4));
  for (const fs::path& file : files) EXPECT_EQ(loss(file), loss(shared_ / "one.pth")) << file;
}

TEST_F(PyTorchRun, TakesEveryEntryOfATorchvisionFile) {
  const auto files = theirs("resnet18.");
  ASSERT_THAT(files, testing::SizeIs(2));
  for (const fs::path& file : files) {
    const auto configuration = config::parse_options(
        std::vector<std::string>{"--model", "pytorch-resnet18", "--num_classes", "10"});
    const auto network = models::make_network(configuration.options.model);
    const checkpoint::LoadReport report =
        checkpoint::load_state(*network, checkpoint::state_dict(checkpoint::read_checkpoint(file)));
    EXPECT_THAT(report.stayed, IsEmpty()) << file;
    EXPECT_THAT(report.unused, IsEmpty()) << file;
    EXPECT_THAT(report.reshaped, IsEmpty()) << file;
  }
}

}  // namespace
}  // namespace lowbit::train
