#include "lowbit/config/train_checks.h"

#include <gmock/gmock.h>

#include "helpers.h"

namespace lowbit::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kPlain = "--dataset fake --keyword cbas ";

std::vector<std::string> check_warnings(const std::string& line) {
  return run(kPlain + line).warnings;
}
TrainOptions train(const std::string& line) {
  return run(kPlain + line).options.train;
}

TEST(TrainingKeywords, ChooseTheLoss) {
  EXPECT_EQ(train("").criterion, Criterion::cross_entropy);
  EXPECT_EQ(train("--keyword cbas,label-smooth").criterion, Criterion::label_smooth);
  EXPECT_EQ(train("--keyword cbas,focal-loss").criterion, Criterion::focal);
  EXPECT_EQ(run_error("--dataset fake --keyword cbas,focal-loss,label-smooth"),
            "command line: keywords 'label-smooth' and 'focal-loss' exclude each other");
}

TEST(TrainingKeywords, AskForTheScheduleAlone) {
  EXPECT_FALSE(train("").lr_test);
  EXPECT_TRUE(train("--keyword cbas,lr-test").lr_test);
}

TEST(OptLevel, ZeroTakesHalfPrecisionBackWithOneNote) {
  EXPECT_EQ(train("--fp16 --opt_level O0").precision, Precision::fp32);
  EXPECT_THAT(check_warnings("--fp16 --opt_level O0"),
              ElementsAre("command line: option '--opt_level': O0 computes in fp32, in spite of "
                          "fp16"));
  EXPECT_THAT(check_warnings("--opt_level O0"), IsEmpty());
}

TEST(OptLevel, OfMixedPrecisionAreAllTheSame) {
  for (const std::string level : {"O1", "O2", "O3"})
    EXPECT_EQ(train("--fp16 --opt_level " + level).precision, Precision::fp16);
  EXPECT_THAT(check_warnings("--fp16 --opt_level O1"), IsEmpty());
  EXPECT_THAT(check_warnings("--fp16 --opt_level O2"),
              ElementsAre("command line: option '--opt_level': O2 is the same mixed precision as "
                          "O1"));
  EXPECT_THAT(check_warnings("--opt_level O2"),
              ElementsAre("command line: option '--opt_level' has no effect without '--fp16'"));
}

TEST(ProcessOptions, AreTakenAsOldFilesHaveThem) {
  EXPECT_THAT(check_warnings("--sync_bn --distributed --world_size 4 --rank 0 -g 0 1"), IsEmpty());
  EXPECT_THAT(check_warnings("--world_size 1 --rank 0 -g 0"), IsEmpty());
  EXPECT_THAT(run_error(kPlain + "-g x"), HasSubstr("'x' is not an integer"));
}

TEST(LossOptions, WarnWhereNothingReadsThem) {
  EXPECT_THAT(check_warnings("--label_smooth 0.2"),
              ElementsAre("command line: option '--label_smooth' has no effect without keyword "
                          "'label-smooth'"));
  EXPECT_THAT(check_warnings("--focal_gamma 3"),
              ElementsAre("command line: option '--focal_gamma' has no effect without keyword "
                          "'focal-loss'"));
  EXPECT_THAT(check_warnings("--mixup_alpha 0.2"),
              ElementsAre("command line: option '--mixup_alpha' has no effect without "
                          "'--mixup_enable'"));
  EXPECT_THAT(check_warnings("--distill_loss_alpha 0.2"),
              ElementsAre("command line: option '--distill_loss_alpha' has no effect without "
                          "'--distill_teacher'"));
  EXPECT_THAT(
      check_warnings("--label_smooth 0.1 --mixup_alpha .7 --focal_gamma 2.0 --custom_lr 1e-5"),
      IsEmpty());
}

TEST(OptimizerOptions, WarnWhereNothingReadsThem) {
  EXPECT_THAT(check_warnings("--optimizer ADAM --nesterov"),
              ElementsAre("command line: option '--nesterov' has no effect with ADAM"));
  EXPECT_THAT(check_warnings("--custom_lr 0.5"),
              ElementsAre("command line: option '--custom_lr' has no effect without "
                          "'--custom_lr_list'"));
  EXPECT_THAT(check_warnings("--warmup 5 --warmup_epoch 1"),
              ElementsAre("command line: option '--warmup_epoch' has no effect beside "
                          "'--warmup'"));
}

TEST(Teacher, IsAModelWhoseWeightsAreNamed) {
  EXPECT_EQ(run_error(kPlain + "--distill_teacher resnet57 --distill_weights t"),
            "command line: option '--distill_teacher': unknown value 'resnet57'; did you mean "
            "'resnet50'?");
  EXPECT_EQ(run_error(kPlain + "--distill_teacher resnet50"),
            "command line: option '--distill_teacher' needs the teacher's weights: give "
            "'--distill_weights FILE'");
  EXPECT_THAT(check_warnings("--distill_teacher resnet50 --pretrained p"), IsEmpty());
}

TEST(StableEpoch, CountsForTagsWithoutAWarmUpOfTheirOwn) {
  const ModelOptions model =
      run(kPlain + "--stable_epoch 2 --wt_stable 5 --ot_stable 0").options.model;
  EXPECT_EQ(model.fm.stable, kStableOfEpochs);
  EXPECT_EQ(model.wt.stable, 5);
  EXPECT_EQ(model.ot.stable, 0);
  EXPECT_EQ(run(kPlain + "--stable_epoch 2 --stable 7").options.model.fm.stable, 7);
}

}  // namespace
}  // namespace lowbit::config
