// Policies, scopes and probes in a run.
#include <gtest/gtest.h>

#include <algorithm>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "trainer_fixture.h"

namespace lowbit::train {
namespace {

class PolicyTraining : public TrainerTest {
 protected:
  std::vector<std::string> with_policy(const std::string& text,
                                       std::vector<std::string> more = {}) const {
    const fs::path file = folder_ / "policy.txt";
    core::replace_file(file, text);
    more.insert(more.end(), {"--policy", file.string()});
    return more;
  }
  static torch::Tensor entry(const checkpoint::NamedTensors& tensors, const std::string& name) {
    for (const auto& [each, tensor] : tensors)
      if (each == name) return tensor;
    ADD_FAILURE() << name;
    return {};
  }
  static std::vector<std::string> names(const checkpoint::NamedTensors& tensors) {
    std::vector<std::string> result;
    for (const auto& [name, tensor] : tensors) result.push_back(name);
    return result;
  }
};

const std::string kProgressive =
    "on init :\nby_tag: fm wt\nbit: 4\nprogressive: True\n"
    "on epoch : 1 2\nby_tag: fm wt\nlevel_num: -6\n"
    "on epoch : 2\nby_index: 1 2\nby_tag: ot\nenable: True\nmethod: lsq\nbit: 8\n";
constexpr const char* kLevels = "layer1.0.conv1.0.quant_weight.level_num";

TEST_F(PolicyTraining, ChangesTheNetworkAtItsEpochsAndResumesExactly) {
  run("whole", with_policy(kProgressive));
  EXPECT_EQ(entry(saved("whole"), kLevels).item<float>(), 4);
  for (const char* epochs : {"1", "2"}) {
    run("parts", with_policy(kProgressive, {"--epochs", epochs}));
    run("parts", with_policy(kProgressive, {"--resume"}));
    EXPECT_EQ(names(saved("whole")), names(saved("parts")));
    expect_same_bits(saved("whole"), saved("parts"));
  }
}

TEST_F(PolicyTraining, ItsCheckpointEvaluatesToTheSameAccuracyWithoutThePolicyFile) {
  const run::RunResult result = run("learns", with_policy(kProgressive, {"--epochs", "3"}));
  fs::remove(folder_ / "policy.txt");
  const std::string path = checkpoint("learns").string();
  const std::vector<std::string> words = {"--pretrained", path, "--evaluate"};
  const auto configuration = config::Configuration::from_json(
      run::description_of(checkpoint::read_checkpoint(path), path).configuration, words);
  Watcher watcher;
  EXPECT_EQ(Trainer(configuration, watcher).evaluate().loss, result.last->loss);
}

TEST_F(PolicyTraining, ALossOfQuantizationChangesWhatIsLearned) {
  run("plain", {"--epochs", "1"});
  run("loss", with_policy("on init :\nby_tag: wt\nquant_loss_enable: True\nquant_loss_alpha: 10",
                          {"--epochs", "1"}));
  EXPECT_FALSE(torch::equal(entry(saved("plain"), "layer1.0.conv1.0.weight"),
                            entry(saved("loss"), "layer1.0.conv1.0.weight")));
}

TEST_F(PolicyTraining, ScopesSelectWhatIsLoaded) {
  run("first", {"--epochs", "1"});
  const checkpoint::NamedTensors first = saved("first");
  const auto loaded = [&](std::vector<std::string> more) {
    more.insert(more.end(), {"--pretrained", checkpoint("first").string(), "--seed", "9"});
    Watcher watcher;
    return checkpoint::named_tensors(Trainer(configuration("other", more), watcher).network());
  };
  const auto same = [&](const checkpoint::NamedTensors& tensors, const std::string& name) {
    return torch::equal(entry(first, name), entry(tensors, name));
  };
  // named_tensors are the network's own, which is gone: the handles stay.
  const checkpoint::NamedTensors only = loaded({"--resume_scope", "layer1,layer2"});
  EXPECT_TRUE(same(only, "layer1.0.conv1.0.weight"));
  EXPECT_FALSE(same(only, "layer3.0.conv1.0.weight"));
  const checkpoint::NamedTensors without = loaded({"--unresume_scope", "fc"});
  EXPECT_TRUE(same(without, "layer3.0.conv1.0.weight"));
  EXPECT_FALSE(same(without, "fc.weight"));
  EXPECT_THROW(loaded({"--resume_scope", "layerr1"}), core::Error);
}

TEST_F(PolicyTraining, ReInitStartsQuantizersAnewAndKeepsWeights) {
  run("first", {"--epochs", "1"});
  Watcher watcher;
  const Trainer trainer(
      configuration("other", {"--pretrained", checkpoint("first").string(), "--re_init"}), watcher);
  const checkpoint::NamedTensors tensors = checkpoint::named_tensors(trainer.network());
  const std::string clip = "layer1.0.conv1.0.quant_weight.clip_val";
  EXPECT_NE(entry(saved("first"), clip).mean().item<float>(), 0.5F);
  EXPECT_EQ(entry(tensors, clip).mean().item<float>(), 0.5F);
  EXPECT_TRUE(torch::equal(entry(saved("first"), "layer1.0.conv1.0.weight"),
                           entry(tensors, "layer1.0.conv1.0.weight")));
}

TEST_F(PolicyTraining, ResumingBeforeAnythingIsSavedBeginsTheRun) {
  run("plain", {"--epochs", "1"});
  run("begun", {"--epochs", "1", "--resume"});
  expect_same_bits(saved("plain"), saved("begun"));
  EXPECT_THROW(run("begun", {"--resume", "--resume_file", "other.pth.tar"}), core::Error);
}

class ProbeTraining : public PolicyTraining {
 protected:
  std::vector<std::string> probing(std::vector<std::string> more) const {
    more.insert(more.end(), {"--keyword", "fashion,cbsa,origin,fix,singleconv,dorefa,lsq,probe",
                             "--epochs", "2"});
    return more;
  }
  checkpoint::Dict dumped(const std::string& name, int iteration) const {
    const fs::path file = folder_ / "exp/resnet20" / name / "probe" /
                          ("iteration-" + std::to_string(iteration) + ".pth");
    return checkpoint::read_checkpoint(file).get<checkpoint::Dict>("probe");
  }
};

TEST_F(ProbeTraining, DumpsTheTensorsOfAStepAndChangesNothing) {
  run("plain", {"--epochs", "2"});
  run("probed", probing({"--probe_iteration", "0,4", "--probe_index", "0,2"}));
  expect_same_bits(saved("plain"), saved("probed"));
  const checkpoint::Dict first = dumped("probed", 0), later = dumped("probed", 4);
  EXPECT_EQ(first.size(), 8u) << "input, output, quant_activation, quant_weight of two layers";
  const std::string layer = first.begin()->first.get<std::string>("name");
  EXPECT_FALSE(fs::exists(folder_ / "exp/resnet20/probed/probe/iteration-1.pth"));
  const std::string name = layer.substr(0, layer.rfind('.')) + ".quant_weight";
  const auto& levels = first.at(name).get<torch::Tensor>(name);
  EXPECT_LE(std::get<0>(torch::_unique(levels)).numel(), 4 * levels.size(0));
  EXPECT_FALSE(torch::equal(levels, later.at(name).get<torch::Tensor>(name)));
}

TEST_F(ProbeTraining, ListsChooseNames) {
  run("list", probing({"--probe_list", "clip_val,fc.weight"}));
  bool found = false;
  for (const auto& [name, tensor] : dumped("list", 0)) {
    const std::string text = name.get<std::string>("name");
    EXPECT_TRUE(text.find("clip_val") != std::string::npos || text == "fc.weight") << text;
    found |= text == "fc.weight";
  }
  EXPECT_TRUE(found);
  EXPECT_THROW(run("wrong", probing({"--probe_list", "clip_vall"})), core::Error);
  EXPECT_THROW(run("wrong", probing({"--probe_index", "99"})), core::Error);
  fs::create_directories(folder_ / "exp/resnet20/file");
  core::replace_file(folder_ / "exp/resnet20/file/probe", "in its place");
  EXPECT_THROW(run("file", probing({"--probe_iteration", "4"})), core::Error);
  EXPECT_FALSE(fs::exists(checkpoint("file"))) << "known before the run";
}

}  // namespace
}  // namespace lowbit::train
