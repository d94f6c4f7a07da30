#include "lowbit/config/write_config.h"

#include <gmock/gmock.h>

#include <cmath>

#include "helpers.h"
#include "support/random_values.h"

namespace lowbit::config {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

// The options that the written file gives, alone.
Options again(const Configuration& configuration) {
  const fs::path path =
      fs::path(testing::TempDir()) / ("written." + std::to_string(::getpid()) + ".config");
  std::ofstream(path) << config_text(configuration);
  const Configuration result = parse_run(path, {}, environment_of({}));
  fs::remove(path);
  return result.options;
}

TEST(WrittenConfig, GivesTheSameOptions) {
  for (const char* line :
       {"--dataset fashion --model resnet20 --keyword cbsa,origin,fix,singleconv,dorefa,lsq "
        "--fm_enable --fm_bit 2 --wt_enable --wt_bit 4 --fm_half_range --lr 0.037 --epochs 7 "
        "--case it's --lr_policy cos --lr_custom_step 3,5 --mean 0.1,0.2,0.3 --tensorboard",
        "--dataset cifar100 --root $HOME/x --model resnet20 --keyword cifar100,cbsa,origin "
        "--batch_size 256 --epochs 40 --nesterov --custom_decay_list none",
        "--dataset cifar10 --model resnet20 --keyword cifar10,cbsa,origin"}) {
    const Configuration configuration = run(line);
    EXPECT_EQ(again(configuration), configuration.options) << config_text(configuration);
  }
}

TEST(WrittenConfig, LeavesOutWhatBelongsToOneCall) {
  const Configuration configuration =
      run("--dataset cifar10 --model resnet20 --keyword cifar10,cbsa,origin --resume --lr 0.5");
  EXPECT_TRUE(configuration.options.train.resume);
  const Options options = again(configuration);
  EXPECT_FALSE(options.train.resume);
  EXPECT_EQ(options.train.lr, 0.5);
}

std::vector<std::string> with(const std::vector<std::string>& more) {
  std::vector<std::string> words = {"--dataset", "cifar10",   "--model",
                                    "resnet20",  "--keyword", "cifar10,cbsa,origin"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

TEST(WrittenConfig, QuotesHoldWordsWithBlanksTogether) {
  const Configuration configuration =
      parse_run(std::nullopt, with({"--log_dir", "a folder"}), environment_of({}));
  EXPECT_THAT(config_text(configuration), HasSubstr("--log_dir"));
  EXPECT_EQ(again(configuration).train.log_dir, "a folder");
}

TEST(WrittenConfig, SaysWhatAConfigFileCannotSay) {
  const std::string text =
      config_text(parse_run(std::nullopt, with({"--log_dir", "a' b\" c"}), environment_of({})));
  EXPECT_THAT(text, HasSubstr("# a config file cannot say this, it has blanks and both quotes: "
                              "--log_dir a' b\" c\n"));
  EXPECT_THAT(text, Not(HasSubstr("\"' --log_dir")));
}

TEST(WrittenConfig, AnyTextsAndNumbersComeBack) {
  test_support::RandomValues random(5);
  int compared = 0;
  for (int i = 0; i < 400; ++i) {
    const std::vector<std::string> words =
        with({"--root", "r" + random.text(/*nul=*/false), "--log_dir",
              "l" + random.text(/*nul=*/false), "--weights_dir", random.text(/*nul=*/false) + "w",
              "--lr", fmt::format("{}", std::abs(random.real(/*any=*/false)))});
    std::optional<Configuration> configuration;
    try {
      configuration = parse_run(std::nullopt, words, environment_of({}));
    } catch (const core::Error&) {  // refused at the start
      continue;
    }
    EXPECT_EQ(Configuration::from_json(configuration->to_json()).options, configuration->options);
    const std::string text = config_text(*configuration);
    if (text.find("# a config file cannot say this") != text.npos) continue;
    ++compared;
    EXPECT_EQ(again(*configuration), configuration->options) << text;
  }
  EXPECT_GT(compared, 200);
}

}  // namespace
}  // namespace lowbit::config
