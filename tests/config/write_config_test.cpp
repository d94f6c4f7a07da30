#include "lowbit/config/write_config.h"

#include <gmock/gmock.h>

#include "helpers.h"

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

TEST(WrittenConfig, SaysWhatAConfigFileCannotSay) {
  const std::vector<std::string> words = {"--dataset", "cifar10",   "--model",
                                          "resnet20",  "--keyword", "cifar10,cbsa,origin",
                                          "--log_dir", "a folder"};
  const std::string text = config_text(parse_run(std::nullopt, words, environment_of({})));
  EXPECT_THAT(text,
              HasSubstr("# a config file cannot say this, it has blanks: --log_dir a folder"));
  EXPECT_THAT(text, Not(HasSubstr("\"' --log_dir")));
}

}  // namespace
}  // namespace lowbit::config
