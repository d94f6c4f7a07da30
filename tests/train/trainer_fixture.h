// Runs of the trainer on a set small enough for a test.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <vector>

#include "lowbit/train/trainer.h"
#include "support/small_set.h"

namespace lowbit::train {
namespace fs = std::filesystem;

// Calls back after every step, since the tests report every iteration.
class Watcher : public run::Observer {
 public:
  explicit Watcher(std::function<void(const run::Progress&)> on_step = {})
      : on_step_(std::move(on_step)) {}
  void on_progress(const run::Progress& progress) override {
    if (on_step_) on_step_(progress);
  }
  void on_pass_end() override {}

 private:
  std::function<void(const run::Progress&)> on_step_;
};

// A run in a folder of its own on a set small enough for a test.
class TrainerTest : public testing::Test {
 protected:
  TrainerTest() {
    folder_ = fs::path(testing::TempDir()) / ("trainer_test." + std::to_string(::getpid()));
    fs::create_directories(folder_);
    testing_support::write_small_set(folder_, "train", 72);
    testing_support::write_small_set(folder_, "t10k", 40);
  }
  ~TrainerTest() override { fs::remove_all(folder_); }

  config::Configuration configuration(const std::string& name,
                                      std::vector<std::string> more) const {
    std::vector<std::string> arguments = {
        "--dataset", "fashion", "--root", folder_.string(), "--model", "resnet20", "--width_alpha",
        "0.125", "--keyword", "fashion,cbsa,origin,fix,singleconv,dorefa,lsq", "--fm_enable",
        "--fm_bit", "2", "--wt_enable", "--wt_bit", "2", "--wt_boundary", "0.5",
        // 72 = 2 * 32 + 8: the last batch is a smaller one.
        "-b", "32", "-v", "40", "--case", name, "--weights_dir", (folder_ / "weights").string(),
        "--log_dir", (folder_ / "exp").string(), "--lr", "0.05", "--lr_policy", "fix", "--nesterov",
        "--epochs", "4", "--report_freq", "1", "--device", "cpu"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return config::parse_run(std::nullopt, arguments);
  }

  run::RunResult run(const std::string& name, std::vector<std::string> more = {},
                     std::function<void(const run::Progress&)> on_step = {}) const {
    Watcher watcher(std::move(on_step));
    Trainer trainer(configuration(name, std::move(more)), watcher);
    return trainer.train();
  }

  checkpoint::NamedTensors saved(const std::string& name) const {
    return checkpoint::state_dict(checkpoint::read_checkpoint(checkpoint(name)));
  }
  fs::path checkpoint(const std::string& name) const {
    return folder_ / "weights" / "resnet20" / (name + "-checkpoint.pth.tar");
  }

  fs::path folder_;

  static void expect_same_bits(const checkpoint::NamedTensors& a,
                               const checkpoint::NamedTensors& b) {
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i)
      EXPECT_TRUE(torch::equal(a[i].second, b[i].second)) << a[i].first;
  }
};

}  // namespace lowbit::train
