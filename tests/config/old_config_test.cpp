// Config files as the older toolbox's users have them.
#include <gmock/gmock.h>

#include <algorithm>

#include "helpers.h"
#include "lowbit/config/keyword.h"
#include "lowbit/config/match.h"

namespace lowbit::config {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const fs::path kFolder = fs::path(LOWBIT_SOURCE_DIR) / "tests/config/fixtures/old";

std::vector<fs::path> old_files() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(kFolder))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

Configuration dry_run(const fs::path& file) {
  const std::vector<std::string> words = {"--dry-run"};
  return parse_run(file, words, environment_of({{"HOME", "/home/me"}}));
}

TEST(OldConfigs, AreReadWithoutAChange) {
  EXPECT_GE(old_files().size(), 40u);
  for (const fs::path& file : old_files()) {
    EXPECT_EQ(usage_error_of([&] { dry_run(file); }), "") << file;
    EXPECT_THAT(file.filename().string(), HasSubstr(dry_run(file).options.data.dataset)) << file;
  }
}

TEST(OldConfigs, ReachTheOptions) {
  const Options options =
      dry_run(kFolder / "config.dorefa.finetune.imagenet.4bit.mobilenetv1").options;
  EXPECT_EQ(options.model.name, "mobilenetv1");
  EXPECT_EQ(options.data.dataset, "imagenet");
  EXPECT_EQ(options.data.root, "/workspace/data/imagenet");
  EXPECT_EQ(options.train.case_name, "imagenet-dorefa-finetune-4bit-cbsa");
  EXPECT_EQ(options.data.workers, 2);
  EXPECT_EQ(options.model.fm.bit, 4);
  EXPECT_EQ(options.train.precision, Precision::fp16);
  EXPECT_EQ(options.model.num_classes, 1000);
}

TEST(OldConfigs, SetTheOptionsThatPoliciesProbesAndScopesRead) {
  const Options policy =
      dry_run(kFolder / "config.lsq.finetune.cifar10.4bit.resnet20-policy").options;
  EXPECT_EQ(policy.model.policy.sections.size(), 3u);
  EXPECT_TRUE(policy.train.re_init);
  EXPECT_THAT(policy.train.resume_scope, testing::ElementsAre("layer"));
  EXPECT_THAT(policy.train.unresume_scope, testing::ElementsAre("fc", "clip_val"));
  const TrainOptions probe =
      dry_run(kFolder / "config.dorefa.train-scratch.imagenet.2bit.mobilenetv2-focal")
          .options.train;
  EXPECT_TRUE(probe.probe);
  EXPECT_THAT(probe.probe_list, testing::ElementsAre("input", "clip_val"));
  EXPECT_THAT(probe.probe_index, testing::ElementsAre(0, 3));
  EXPECT_THAT(probe.probe_iteration, testing::ElementsAre(0, 100));
  EXPECT_THAT(probe.lr_custom_step, testing::ElementsAre(30, 60));
}

TEST(OldConfigs, MayGiveEveryOptionOfTheOlderToolbox) {
  std::vector<std::string> names = words_of(
      "--dataset --root --model -m --epochs --workers -j --iter-size --batch_size -b "
      "--val_batch_size -v --lr --lr_policy --lr_decay --eta_min --lr_fix_step --lr_custom_step "
      "--momentum --weight_decay --wd --nesterov --decay_small --no_decay_small --grad_clip "
      "--save_freq -s --report_freq --seed --optimizer --device-ids -g --fp16 --opt_level "
      "--sync_bn "
      "--warmup --warmup_epoch --wakeup --wakeup_epoch --stable --stable_epoch --extra_epoch "
      "--delay "
      "--evaluate -e --pretrained --resume -r --resume_file --weights_dir --log_dir --tensorboard "
      "--verbose --addition_augment --aa --case --keyword --base --width_alpha --block_alpha "
      "--stem_kernel --order --policy --num_classes --input_size --mean --std --fm_custom "
      "--ot_independent_parameter --re_init --proxquant_step --ps --mixup_enable --mixup_alpha "
      "--padding_after_quant --label_smooth --probe_list --probe_index --probe_iteration "
      "--custom_decay_list --custom_decay --custom_lr_list --custom_lr --distill_teacher "
      "--distill_loss_alpha --distill_loss_temperature --distill_loss_type --focal_gamma "
      "--focal_alpha --distributed --world_size --rank --resume_scope --unresume_scope");
  for (const std::string tag : {"--fm", "--wt", "--ot"})
    for (const char* suffix :
         {"_bit", "_level", "_half_range", "_scale", "_ratio", "_correlate", "_enable", "_boundary",
          "_quant_group", "_adaptive", "_grad_type", "_grad_scale", "_separator", "_stable"})
      names.push_back(tag + suffix);
  for (const std::string& name : names) EXPECT_NE(find_option(name), nullptr) << name;
}

TEST(OldConfigs, MayGiveEveryKeywordOfTheOlderToolbox) {
  for (const std::string& name : words_of(
           "cifar10 cifar100 imagenet cbas cbsa cabs bacs bcas bac cba abc origin fix fix_pooling "
           "singleconv real_skip identify_norm identity_norm DCHR fixup bias group-net less_bn "
           "preBN "
           "patch_preBN_stem TResNetStem TResNetStemMaxPool ReShapeResolution ldn3x3 f0x0 f1x1 "
           "s1x1 "
           "f3x3 s3x3 prone keepdim postbn bn_before_restore no_prone_downsample zir first-last "
           "caffe-pooling real_dp real_pt normal3x3 bireal react block_skip group-norm static-bn "
           "freeze-bn reverse-bn instance-norm PReLU NReLU ReLU6 LReLU dorefa pact lsq fm_lsq "
           "wt_lsq "
           "ot_lsq lq xnor gamma wt_gamma ot_gamma wt_bin symmetry non-uniform fm_non-uniform "
           "wt_non-uniform fm_closed_form closed_form custom-update independent_norm proxquant "
           "debug "
           "label-smooth focal-loss probe lr-test mean raw save"))
    EXPECT_NE(find_keyword(name), nullptr) << name;
}

TEST(OldConfigs, MayQuoteTheWordsOfTheirOptions) {
  const TemporaryConfig file(
      "dataset=fake\nkeyword=cbas\noptions=\"--lr_custom_step '30,60' --case \\\"x\\\"\"");
  EXPECT_THAT(file.run().options.train.lr_custom_step, testing::ElementsAre(30, 60));
  EXPECT_EQ(file.run().options.train.case_name, "x");
}

TEST(OldConfigs, MayLeaveTheDataSetOutOrNameTheOneForTheGpu) {
  const DataOptions plain = run("--keyword cbas").options.data;
  EXPECT_EQ(plain.dataset, "imagenet");
  EXPECT_EQ(plain.input_size, 224);
  EXPECT_EQ(plain.mean, (std::array{0.485, 0.456, 0.406}));
  const Configuration dali =
      run("--keyword cbas --dataset dali --aa --skip_damaged --input_size 160");
  EXPECT_EQ(dali.options.data.dataset, "dali");
  EXPECT_EQ(dali.options.data.std, (std::array{0.229, 0.224, 0.225}));
  EXPECT_EQ(dali.options.data.input_size, 160);
  EXPECT_TRUE(dali.options.data.addition_augment);
  EXPECT_TRUE(dali.options.data.skip_damaged);
  EXPECT_THAT(dali.warnings, testing::IsEmpty());
  EXPECT_THAT(run("--keyword cifar10,cbas --dataset cifar10 --aa").warnings,
              testing::ElementsAre("command line: option '--addition_augment' has no effect on "
                                   "data set 'cifar10'"));
}

}  // namespace
}  // namespace lowbit::config
