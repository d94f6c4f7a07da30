#include "lowbit/config/parse.h"

#include <gmock/gmock.h>

#include <set>

#include "helpers.h"
#include "lowbit/config/option.h"
#include "lowbit/core/error.h"

namespace lowbit::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Triple = std::array<double, 3>;

TEST(ParseRun, ReadsAnOldConfigFile) {
  const TemporaryConfig file(R"(
    FASTDIR=/data
    dataset='fake'
    root=$FASTDIR/data/imagenet
    model='resnet18'
    train_batch=64; val_batch=50
    case='lsq_2bit'
    keyword="cbas,lsq,origin,real_skip,"
    keyword="$keyword,dorefa"
    # training
    options="$options --lr 1e-2 --lr_policy custom_step"
    options="$options --fm_bit 2.0 --fm_enable -j2"
)");
  const Configuration configuration = file.run();
  const Options& options = configuration.options;
  EXPECT_EQ(options.data.dataset, "fake");
  EXPECT_EQ(options.data.root, "/data/data/imagenet");
  EXPECT_EQ(options.data.train_batch, 64);
  EXPECT_EQ(options.data.val_batch, 50);
  EXPECT_EQ(options.data.workers, 2);
  EXPECT_EQ(options.model.batch_size, 64);
  EXPECT_EQ(options.model.order, BlockOrder::cbas);
  EXPECT_TRUE(options.model.origin && options.model.real_skip);
  EXPECT_TRUE(options.model.fm.enable);
  EXPECT_EQ(options.model.fm.method, Method::lsq);
  EXPECT_EQ(options.model.fm.levels(), 4);
  EXPECT_EQ(options.train.case_name, "lsq_2bit");
  EXPECT_EQ(options.train.epochs, 0);
  EXPECT_EQ(options.train.lr_policy, LrPolicy::custom_step);
  EXPECT_THAT(configuration.warnings, IsEmpty());
}

TEST(ParseRun, SaysWhereEveryValueCameFrom) {
  const TemporaryConfig file(
      "dataset=cifar100\nkeyword=cbsa,cifar100\n\noptions='--lr 0.1\n--nesterov'\n");
  const Configuration configuration = file.run("--wd 5e-4");
  EXPECT_EQ(setting(configuration, "--dataset"), (Setting{"--dataset", "cifar100", file.at(1)}));
  EXPECT_EQ(setting(configuration, "--keyword"),
            (Setting{"--keyword", "cbsa,cifar100", file.at(2)}));
  EXPECT_EQ(setting(configuration, "--lr"), (Setting{"--lr", "0.1", file.at(4)}));
  EXPECT_EQ(setting(configuration, "--nesterov"), (Setting{"--nesterov", "true", file.at(5)}));
  EXPECT_EQ(setting(configuration, "--weight_decay"),
            (Setting{"--weight_decay", "0.0005", "command line"}));
  EXPECT_EQ(setting(configuration, "--batch_size"), (Setting{"--batch_size", "20", "default"}));
  EXPECT_EQ(setting(configuration, "--momentum"), (Setting{"--momentum", "0.9", "default"}));
  EXPECT_EQ(setting(configuration, "--fm_bit"), (Setting{"--fm_bit", "none", "default"}));
  EXPECT_EQ(setting(configuration, "--num_classes"),
            (Setting{"--num_classes", "100", "keyword cifar100"}));
  EXPECT_EQ(setting(configuration, "--std"),
            (Setting{"--std", "0.2023,0.1994,0.201", "data set cifar100"}));
  EXPECT_EQ(setting(configuration, "--iter-size"), (Setting{"--iter-size", "1", "default"}));
}

TEST(ParseRun, ListsEveryOptionOnce) {
  std::vector<std::string> listed, expected;
  for (const Setting& each : run(kFashion).settings) listed.push_back(each.name);
  for (const Option& option : all_options())
    if (option.stands_for.empty()) expected.push_back(option.name());
  EXPECT_EQ(listed, expected);
}

TEST(ParseRun, LetsTheCommandLineWin) {
  const TemporaryConfig file(
      "dataset=fashion\nkeyword=cbsa\ntrain_batch=64\noptions='--lr 0.1 --policy file -b 32'\n");
  const Configuration configuration = file.run("--lr 0.2 --keyword cbas,fix --policy none");
  EXPECT_EQ(configuration.options.train.lr, 0.2);
  EXPECT_EQ(configuration.options.data.train_batch, 32) << "options win over names";
  EXPECT_EQ(configuration.options.model.order, BlockOrder::cbas);
  EXPECT_TRUE(configuration.options.model.fix);
  EXPECT_EQ(setting(configuration, "--lr").source, "command line");
}

TEST(ParseRun, NamesFileAndLineOfEveryKindOfError) {
  const std::string start = "dataset=fashion\nmodel=resnet20\nkeyword=cbsa,origin\n";
  const auto error_of = [&](const std::string& line) {
    const TemporaryConfig file(start + line + "\n");
    const std::string error = file.error();
    const std::string place = file.at(4) + ": ";
    EXPECT_EQ(error.substr(0, place.size()), place);
    return error.substr(std::min(place.size(), error.size()));
  };
  EXPECT_EQ(error_of("options='--lr_polcy cos'"),
            "unknown option '--lr_polcy'; did you mean '--lr_policy'?");
  EXPECT_EQ(error_of("options='--lr x'"), "option '--lr': 'x' is not a number (>= 0)");
  EXPECT_EQ(error_of("options='--fm_bit 9'"), "option '--fm_bit': 9 is out of range (1..8)");
  EXPECT_EQ(error_of("options='--nesterov --lr'"), "option '--lr' needs a value: NUMBER");
  EXPECT_EQ(error_of("options=$options--lr=1 --nesterov"),
            "'options=$options--lr=1 --nesterov' is not an assignment name=value");
  EXPECT_EQ(error_of("keyword=\"$keyword,orign\""),
            "unknown keyword 'orign'; did you mean 'origin'?");
  EXPECT_EQ(error_of("options='--policy /no/such/file'"),
            "option '--policy': there is no file '/no/such/file'");
  EXPECT_EQ(error_of("model=resnet21"),
            "option '--model': unknown value 'resnet21'; did you mean 'resnet20'?");
  EXPECT_EQ(error_of("dataset=dal"),
            "option '--dataset': unknown value 'dal'; did you mean 'dali'?");
  EXPECT_EQ(error_of("train_batch=many"),
            "option '--batch_size': 'many' is not an integer (1..1048576)");
  EXPECT_EQ(error_of("options='--fm_enable --fm_bit 2'"),
            "'--fm_enable' without a method: add keyword dorefa, pact, lq or xnor, or lsq beside "
            "dorefa");
  EXPECT_EQ(error_of("root=$NOWHERE"), "variable 'NOWHERE' is not set");
}

TEST(ParseRun, DoesNotLetTheCommandLineCompleteTheFile) {
  const TemporaryConfig file("dataset=fashion\nkeyword=cbsa\noptions='--case'\n");
  EXPECT_EQ(file.error("x"), file.at(3) + ": option '--case' needs a value: NAME");
}

TEST(ParseRun, PassesOnTheWarningsOfTheFileFirst) {
  const TemporaryConfig file("dataset=fashion\nkeyword=cbsa,mean\nepoch=3\n");
  EXPECT_THAT(
      file.run().warnings,
      ElementsAre(file.at(3) + ": variable 'epoch' is never used; did you mean 'epochs'?",
                  file.at(2) + ": keyword 'mean' has no effect: it is accepted from old files"));
}

// What an error says is missing may stand in the file under a misspelled name.
TEST(ParseRun, AnErrorIsFollowedByTheWarningsOfTheFile) {
  const TemporaryConfig file("dataset=fashion\nmodel=resnet20\nkeywrod=cbsa\n");
  try {
    file.run();
    FAIL() << "no error";
  } catch (const core::Error& error) {
    EXPECT_THAT(error.details(), testing::HasSubstr("variable 'keywrod' is never used; did you "
                                                    "mean 'keyword'?"));
  }
}

TEST(ParseRun, NeedsABlockOrder) {
  EXPECT_EQ(run_error("--dataset fashion --model resnet20 --keyword origin"),
            "command line: model 'resnet20' needs an order of its layers: add keyword cbas, cbsa, "
            "cabs, bacs or bcas");
  EXPECT_EQ(run_error("--dataset fashion"),
            "model 'resnet18' needs an order of its layers: add keyword cbas, cbsa, cabs, bacs or "
            "bcas");
}

TEST(ParseRun, NeedsMethodAndLevelsOfAnEnabledTag) {
  EXPECT_EQ(
      run_error(kFashion + "--wt_enable --wt_bit 2"),
      "command line: '--wt_enable' without a method: add keyword dorefa, pact, lq or xnor, or "
      "lsq beside dorefa");
  EXPECT_EQ(run_error("--dataset fashion --keyword cbsa,dorefa --ot_enable"),
            "command line: '--ot_enable' without '--ot_bit' or '--ot_level'");
  EXPECT_EQ(run("--dataset fashion --keyword cbsa,dorefa --ot_enable --ot_level 3")
                .options.model.ot.levels(),
            3);
}

TEST(ParseRun, WarnsAboutAQuantizerThatIsNotEnabled) {
  EXPECT_THAT(run(kFashion + "--fm_bit 2 --fm_level 3").warnings,
              ElementsAre("command line: option '--fm_bit' has no effect without '--fm_enable'",
                          "command line: option '--fm_level' has no effect without "
                          "'--fm_enable'"));
}

TEST(ParseRun, WarnsAboutQuantizerOptionsThatTheMethodDoesNotRead) {
  EXPECT_THAT(run(kLsq + "--wt_half_range").warnings,
              ElementsAre("command line: option '--wt_half_range' has no effect: lsq quantizes "
                          "weights in full range"));
  EXPECT_THAT(run(kLsq + "--fm_adaptive var-mean").warnings,
              ElementsAre("command line: option '--fm_adaptive' has no effect: only weights are "
                          "normalized"));
  EXPECT_THAT(run(kLsq + "--wt_adaptive var-mean").warnings, IsEmpty());
  EXPECT_THAT(run(kLsq + "--fm_grad_type Triangle").warnings,
              ElementsAre("command line: option '--fm_grad_type' has no effect: only xnor has "
                          "Triangle"));
  EXPECT_THAT(run(kLsq + "--fm_grad_type STE-scale --wt_grad_type STE").warnings, IsEmpty());
  EXPECT_THAT(run("--dataset fashion --keyword cbsa,dorefa --wt_enable --wt_bit 2 --wt_grad_type "
                  "STE-scale")
                  .warnings,
              ElementsAre("command line: option '--wt_grad_type' has no effect: only lsq and "
                          "non-uniform have STE-scale"));
}

TEST(ParseRun, RefusesImpossibleCombinations) {
  EXPECT_EQ(run_error(kFashion + "--nesterov --momentum 0"),
            "command line: '--nesterov' needs a momentum above 0");
  EXPECT_EQ(run_error(kFashion + "--num_classes 9"),
            "command line: 9 classes are too few: data set 'fashion' has 10");
  EXPECT_EQ(run_error("--dataset cifar100 --keyword cbas,cifar10"),
            "command line: 10 classes are too few: data set 'cifar100' has 100");
  EXPECT_EQ(run_error(kFashion + "--input_size 28"),
            "command line: input size 28 is impossible: data set 'fashion' has images of 32x32");
}

TEST(ParseRun, WarnsWhereNetworkAndDataSetDifferHarmlessly) {
  EXPECT_THAT(run("--dataset cifar10 --keyword cbas,cifar100").warnings,
              ElementsAre("the network has 100 classes, data set 'cifar10' only 10"));
  EXPECT_THAT(run("--dataset cifar10 --keyword cbas").warnings,
              ElementsAre("data set 'cifar10' without keyword 'cifar10': the stem is the one for "
                          "large images (7x7, pooling)"));
}

struct DataCase {
  const char* line;
  int classes, size;
  bool cifar_stem;
  Triple mean, std;
};

class DataResolution : public testing::TestWithParam<DataCase> {};

TEST_P(DataResolution, FollowsKeywordThenDataSet) {
  const DataCase& expected = GetParam();
  const Options options = run(std::string("--keyword cbas") + expected.line).options;
  EXPECT_EQ(options.model.num_classes, expected.classes);
  EXPECT_EQ(options.data.num_classes, expected.classes);
  EXPECT_EQ(options.model.input_size, expected.size);
  EXPECT_EQ(options.data.input_size, expected.size);
  EXPECT_EQ(options.model.cifar_stem, expected.cifar_stem);
  EXPECT_EQ(options.data.mean, expected.mean);
  EXPECT_EQ(options.data.std, expected.std);
}

constexpr Triple kCifarMean = {0.4914, 0.4822, 0.4465}, kCifarStd = {0.2023, 0.1994, 0.2010};
constexpr Triple kFashionMean = {0.2860, 0.2860, 0.2860}, kFashionStd = {0.3530, 0.3530, 0.3530};
constexpr Triple kImageNetMean = {0.485, 0.456, 0.406}, kImageNetStd = {0.229, 0.224, 0.225};

INSTANTIATE_TEST_SUITE_P(
    All, DataResolution,
    testing::Values(
        DataCase{",cifar10 --dataset cifar10", 10, 32, true, kCifarMean, kCifarStd},
        DataCase{",cifar100 --dataset cifar100", 100, 32, true, kCifarMean, kCifarStd},
        DataCase{" --dataset cifar100", 100, 32, false, kCifarMean, kCifarStd},
        DataCase{",imagenet --dataset cifar10", 10, 32, false, kCifarMean, kCifarStd},
        DataCase{" --dataset fashion", 10, 32, true, kFashionMean, kFashionStd},
        DataCase{",fashion --dataset fashion", 10, 32, true, kFashionMean, kFashionStd},
        DataCase{",imagenet --dataset fashion", 10, 32, false, kFashionMean, kFashionStd},
        DataCase{",cifar100 --dataset fashion", 100, 32, true, kFashionMean, kFashionStd},
        DataCase{" --dataset fake", 1000, 224, false, kImageNetMean, kImageNetStd},
        DataCase{",cifar100 --dataset fake", 100, 32, true, kCifarMean, kCifarStd},
        DataCase{
            ",cifar100 --dataset fake --num_classes 7 --input_size 64 --mean 1,2,3 --std 4,5,6", 7,
            64, true, Triple{1, 2, 3}, Triple{4, 5, 6}}));

TEST(Configuration, IsTheSameAfterATripThroughJson) {
  for (const std::string& line :
       {kFashion, kLsq,
        kLsq + "--lr_policy cos --lr_custom_step none --fp16 --decay_small -e -r --fm_half_range "
               "--mean .1,.2,.30000000000000004 --width_alpha 0.1 --pretrained p --seed 7",
        std::string("--dataset fake --keyword cbas,imagenet,mean --order cb --base 1")}) {
    const Configuration configuration = run(line);
    const Configuration again = Configuration::from_json(configuration.to_json());
    EXPECT_EQ(again.options, configuration.options) << line;
    EXPECT_EQ(again.arguments, configuration.arguments) << line;
    EXPECT_EQ(again.to_json(), configuration.to_json()) << line;
  }
}

TEST(CommonSettings, LeaveOutWhatBelongsToAMachine) {
  const auto common = [](const std::string& more) { return common_settings(run(kLsq + more)); };
  const std::vector<Setting> usual = common("--lr 0.1");
  EXPECT_EQ(common("--lr 0.1 --root elsewhere --world_size 4 --rank 2 --gpus 2 --verbose"), usual);
  EXPECT_NE(common("--lr 0.2"), usual);
  EXPECT_NE(common("--lr 0.1 -b 17"), usual);
}

TEST(Configuration, FromAFileNeedsTheFileNoMore) {
  const TemporaryConfig file("dataset=fashion\nkeyword=cbsa\noptions='--lr 0.125'\n");
  const Configuration configuration = file.run();
  const Configuration again = Configuration::from_json(configuration.to_json());
  EXPECT_EQ(again.options, configuration.options);
  EXPECT_EQ(again.options.data.train_batch, 20) << "a default of config files";
  EXPECT_EQ(setting(again, "--lr"), (Setting{"--lr", "0.125", "checkpoint"}));
}

TEST(Configuration, OfACheckpointKeepsTheNetworkOnAnotherDataSet) {
  const std::string json = run("--dataset fashion --keyword cbsa").to_json();
  const Options options = Configuration::from_json(json, words_of("--dataset fake -b 5")).options;
  EXPECT_EQ(options.data.dataset, "fake");
  EXPECT_EQ(options.data.train_batch, 5);
  EXPECT_EQ(options.model.num_classes, 10);
  EXPECT_EQ(options.model.input_size, 32);
  EXPECT_TRUE(options.model.cifar_stem);
  EXPECT_EQ(options.data.mean, kFashionMean);
}

TEST(Configuration, DescribesPathsThatAreNoUtf8) {
  const std::string json = run(kFashion + "--root /d\xE9").to_json();
  EXPECT_EQ(Configuration::from_json(json).options.data.root, "/d\xE9");
}

TEST(Configuration, RefusesADamagedDescription) {
  for (const char* json : {"", "{", "[]", "{\"arguments\": 3}", "{\"arguments\": [3]}", "{}"}) {
    try {
      Configuration::from_json(json);
      FAIL() << json;
    } catch (const core::Error& error) {
      EXPECT_STREQ(error.what(), "the description in the checkpoint is damaged");
      EXPECT_EQ(error.kind(), core::ErrorKind::failure);
    }
  }
}

TEST(ParseOptions, PassesOverWhatDoesNotDescribeANetwork) {
  const Configuration configuration = parse_options(words_of(
      "--dataset dali --root /x --model resnet18 --base 1 --epochs 60 -b 2 -v 50 --case a "
      "--keyword debug,imagenet,origin,cbsa,fix,dorefa,lsq --pretrained none --tensorboard -j3 -r "
      "--optimizer ADAM --lr_policy sgdr --stable 20 --fm_bit 2 --fm_enable --fp16 --opt_level O2 "
      "--num_classes 10 --input_size 64 --width_alpha 0.25"));
  const ModelOptions& model = configuration.options.model;
  EXPECT_EQ(model.name, "resnet18");
  EXPECT_EQ(model.num_classes, 10);
  EXPECT_EQ(model.input_size, 64);
  EXPECT_EQ(model.width_alpha, 0.25);
  EXPECT_EQ(model.batch_size, 2);
  EXPECT_EQ(model.fm.method, Method::lsq);
}

TEST(ParseOptions, AllowsSizesThatDoNotFitTheDataSet) {
  const ModelOptions model = parse_options(words_of("--dataset cifar100 --keyword cifar100,cbsa "
                                                    "--num_classes 10 --input_size 64"))
                                 .options.model;
  EXPECT_EQ(model.num_classes, 10);
  EXPECT_EQ(model.input_size, 64);
}

}  // namespace
}  // namespace lowbit::config
