// What a checkpoint holds against what the options say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/run/changed_options.h"
#include "lowbit/run/loaded_network.h"
#include "lowbit/train/network_check.h"
#include "trainer_fixture.h"

namespace lowbit::train {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::vector<std::string> kFourBits = {"--epochs", "1", "--fm_bit", "4", "--wt_bit", "4"};
constexpr const char* kQuantizer = "layer1.0.conv1.0.quant_weight";

class LoadedOptions : public TrainerTest {
 protected:
  static torch::Tensor entry(const checkpoint::NamedTensors& tensors, const std::string& name) {
    for (const auto& [each, tensor] : tensors)
      if (each == name) return tensor;
    ADD_FAILURE() << name;
    return {};
  }
  checkpoint::NamedTensors loaded(std::vector<std::string> more) const {
    Watcher watcher;
    return checkpoint::named_tensors(
        Trainer(configuration("other", std::move(more)), watcher).network());
  }
  std::string error_of(const std::string& name, const std::vector<std::string>& more) const {
    try {
      run(name, more);
    } catch (const core::Error& error) {
      return error.what();
    }
    return "";
  }
};

TEST_F(LoadedOptions, GiveTheBitsAndTheFileItsClipValuesInTheirSteps) {
  run("four", kFourBits);
  const checkpoint::NamedTensors four = saved("four");
  const std::string level = std::string(kQuantizer) + ".level_num",
                    clip = std::string(kQuantizer) + ".clip_val";
  ASSERT_EQ(entry(four, level).item<float>(), 16);
  for (const std::vector<std::string>& use : {std::vector<std::string>{"--pretrained"},
                                              {"-e", "--pretrained"},
                                              {"-r", "--resume_file"}}) {
    std::vector<std::string> words = use;
    words.push_back(checkpoint("four").string());
    const checkpoint::NamedTensors two = loaded(words);
    EXPECT_EQ(entry(two, level).item<float>(), 4);
    EXPECT_TRUE(torch::allclose(entry(two, clip), entry(four, clip) * (3.0 / 15)));
  }
}

TEST_F(LoadedOptions, AreWhatTheDescriptionSaysAndTheNetworkDoes) {
  run("four", kFourBits);
  const checkpoint::Value file = checkpoint::read_checkpoint(checkpoint("four"));
  for (const auto& [bits, levels] : {std::pair("2", 4), {"4", 16}}) {
    const config::ModelOptions options =
        configuration("x", {"--fm_bit", bits, "--wt_bit", bits}).options.model;
    const run::LoadedNetwork loaded = run::load_network(options, file, "four");
    EXPECT_THAT(loaded.network->description(),
                HasSubstr(fmt::format("weights {0} levels (lsq), activations {0} levels", levels)));
    EXPECT_EQ(loaded.network->levels(config::Tag::wt).most, levels);
    EXPECT_EQ(loaded.report.overruled.empty(), levels == 16);
    for (const quant::Quantizer* quantizer : loaded.network->quantizers())
      EXPECT_EQ(quantizer->level_num().item<int>(), levels);
  }
}

TEST_F(LoadedOptions, WithTheLevelsOfAPolicyAreThoseOfTheFilesEpoch) {
  const fs::path policy = folder_ / "policy.txt";
  core::replace_file(policy, "on epoch : 0 1\nby_tag: wt\nprogressive: True\nlevel_num: -1\n");
  const std::vector<std::string> words = {"--policy", policy.string(), "--epochs", "1"};
  run("one", words);
  const std::string level = std::string(kQuantizer) + ".level_num";
  EXPECT_EQ(entry(saved("one"), level).item<float>(), 3);
  // The file of another program says in which epoch it is; the weights alone are those of the end.
  const checkpoint::Dict file =
      checkpoint::read_checkpoint(checkpoint("one")).get<checkpoint::Dict>("file");
  const config::ModelOptions options = configuration("x", words).options.model;
  const auto levels = [&](const checkpoint::Value& foreign) {
    return run::load_network(options, foreign, "foreign").network->levels(config::Tag::wt).most;
  };
  EXPECT_EQ(levels(checkpoint::Dict{{"state_dict", file.at("state_dict")}, {"epoch", int64_t{1}}}),
            3);
  EXPECT_EQ(levels(checkpoint::Dict{{"state_dict", file.at("state_dict")}}), 2);
}

TEST_F(LoadedOptions, ThatDifferFromThoseOfTheRunAreNamed) {
  const std::string then = configuration("x", {"--lr", "0.1"}).to_json();
  const std::string now =
      configuration("x", {"--lr", "0.2", "--fm_bit", "4", "--mean", "0,0,0"}).to_json();
  EXPECT_THAT(run::changed_options(then, now, run::LoadPurpose::start),
              ElementsAre("--mean 0.286,0.286,0.286 -> 0,0,0"));
  EXPECT_THAT(run::changed_options(then, now, run::LoadPurpose::evaluate),
              ElementsAre("--fm_bit 2 -> 4", "--mean 0.286,0.286,0.286 -> 0,0,0"));
  EXPECT_THAT(
      run::changed_options(then, now, run::LoadPurpose::resume),
      ElementsAre("--fm_bit 2 -> 4", "--mean 0.286,0.286,0.286 -> 0,0,0", "--lr 0.1 -> 0.2"));
  EXPECT_THAT(run::changed_options(then, then, run::LoadPurpose::resume), IsEmpty());
}

TEST_F(LoadedOptions, OfAnotherOptimizerDoNotGoOn) {
  run("sgd", {"--epochs", "1"});
  EXPECT_THAT(error_of("sgd", {"-r", "--optimizer", "ADAM"}),
              HasSubstr("sgd-checkpoint.pth.tar: its optimizer is SGD"));
}

TEST_F(LoadedOptions, ToEvaluateTakeTheRunsOwnCheckpoint) {
  const run::RunResult result = run("own", {"--epochs", "1"});
  Watcher watcher;
  Trainer trainer(configuration("own", {"-e"}), watcher);
  EXPECT_EQ(trainer.loaded_file(), checkpoint("own").string());
  EXPECT_EQ(trainer.evaluate().loss, result.last->loss);
  try {
    run::find_start(configuration("another", {"-e"}).options);
    FAIL() << "no error";
  } catch (const core::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("--evaluate: no file"));
    EXPECT_THAT(error.what(), HasSubstr("another-checkpoint.pth.tar"));
  }
}

// --- what is known before the first step ---

TEST(FewestImages, AreThoseOfTheLastBatchOrShare) {
  EXPECT_EQ(fewest_images(8, 4, 1, false), 4);
  EXPECT_EQ(fewest_images(9, 4, 1, false), 1);
  EXPECT_EQ(fewest_images(3, 4, 1, false), 3);
  EXPECT_EQ(fewest_images(16, 4, 4, false), 1);
  EXPECT_EQ(fewest_images(16, 4, 4, true), 4);
  EXPECT_EQ(fewest_images(18, 8, 4, false), 2) << "two images for four processes: whole";
  EXPECT_EQ(fewest_images(17, 8, 4, true), 1);
}

// 72 images in batches of 71, through pytorch-resnet18, whose last maps have one pixel.
TEST_F(LoadedOptions, ThatLeaveANormOneValueAreAnErrorBeforeTheRun) {
  const std::vector<std::string> words = {
      "--model", "pytorch-resnet18", "--keyword", "fashion,dorefa,lsq", "--epochs", "0", "-v", "0"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), words.begin(), words.end());
    return more;
  };
  EXPECT_THAT(error_of("x", with({"-b", "71"})),
              testing::MatchesRegex("'.*' would have one value per channel to normalize by: 72 "
                                    "images in batches of 71 leave a last batch of one image, and "
                                    "its maps have one pixel"));
  EXPECT_EQ(error_of("x", with({"-b", "70"})), "");
  EXPECT_EQ(error_of("x", with({"-b", "71", "--keyword", "fashion,static-bn,dorefa,lsq"})), "");
  EXPECT_THAT(error_of("x", with({"--keyword", "fashion,instance-norm,dorefa,lsq"})),
              HasSubstr("instance-norm makes 0 of maps of one pixel"));
}

// A pass in the warm-up changes clip values even in evaluation.
TEST_F(LoadedOptions, LeaveNoTraceOfTheCheckBeforeTheRun) {
  Watcher watcher;
  Trainer trainer(configuration("x", {"--stable", "4"}), watcher);
  auto& network = const_cast<models::Network&>(trainer.network());
  checkpoint::NamedTensors before;
  for (const auto& [name, tensor] : checkpoint::named_tensors(network))
    before.emplace_back(name, tensor.clone());
  const config::Options options = configuration("x", {}).options;
  const auto source =
      data::open_batches(options.data, data::Split::train, 1, kernels::Backend::cpu, torch::kCPU);
  require_statistics(network, *source, 32,
                     {.device = torch::kCPU, .compute_type = torch::kFloat32, .capture = false});
  one_sided_layers(network, torch::rand({2, 3, 32, 32}));
  expect_same_bits(checkpoint::named_tensors(network), before);
  EXPECT_TRUE(network.is_training());
}

TEST_F(LoadedOptions, LeaveNoTraceOfAnEvaluationAlone) {
  run("x", {"--epochs", "1", "--stable", "20"});
  Watcher watcher;
  Trainer trainer(configuration("x", {"-e", "--stable", "20"}), watcher);
  checkpoint::NamedTensors before;
  for (const auto& [name, tensor] : checkpoint::named_tensors(trainer.network()))
    before.emplace_back(name, tensor.clone());
  const double first = trainer.evaluate().loss;
  EXPECT_EQ(trainer.evaluate().loss, first);
  expect_same_bits(checkpoint::named_tensors(trainer.network()), before);
}

TEST_F(LoadedOptions, OfXnorBehindReluAreTold) {
  const auto layers = [&](const std::string& activation) {
    const config::Configuration made =
        configuration("x", {"--keyword", "fashion,cbsa,origin,fix,singleconv,xnor" + activation,
                            "--fm_bit", "1", "--wt_bit", "1"});
    Watcher watcher;
    Trainer trainer(made, watcher);
    return one_sided_layers(const_cast<models::Network&>(trainer.network()),
                            torch::rand({2, 3, 32, 32}));
  };
  EXPECT_THAT(layers(""), testing::Not(IsEmpty()));
  EXPECT_THAT(layers(",NReLU"), IsEmpty());
}

}  // namespace
}  // namespace lowbit::train
