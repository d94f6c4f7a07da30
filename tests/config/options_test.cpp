// The options as a command line gives them: names, values, ranges, errors.
#include <gmock/gmock.h>

#include <set>

#include "helpers.h"
#include "lowbit/config/match.h"

namespace lowbit::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(OptionTable, GivesEveryNameToOneOptionAlone) {
  std::set<std::string> seen;
  for (const Option& option : all_options())
    for (const std::string& name : option.names) {
      EXPECT_TRUE(seen.insert(name).second) << name;
      EXPECT_EQ(find_option(name), &option) << name;
    }
}

TEST(OptionTable, SaysWhatEveryOptionIsFor) {
  for (const Option& option : all_options()) {
    EXPECT_FALSE(option.help.empty()) << option.name();
    EXPECT_FALSE(option.group.empty()) << option.name();
    EXPECT_EQ(option.value.empty(), option.arity == Arity::none) << option.name();
    EXPECT_TRUE(option.arity == Arity::none || !option.default_value.empty()) << option.name();
    EXPECT_EQ(option.set == nullptr, option.show == nullptr) << option.name();
  }
}

TEST(OptionTable, ShowsValuesThatItReadsBackAsTheSame) {
  for (const Option& option : all_options()) {
    if (!option.show || option.show(Options()) == "none") continue;
    Options options;
    const std::string shown = option.show(options);
    option.set(options, {argument(shown, "test")});
    EXPECT_EQ(options, Options()) << option.name() << " " << shown;
  }
}

TEST(Options, SaveEveryTakesStepsOrTime) {
  const auto interval = [](const std::string& text) {
    return run(kFashion + "--save_every " + text).options.train.save_every;
  };
  EXPECT_EQ(run(kFashion).options.train.save_every, Interval{});
  EXPECT_EQ(interval("500"), (Interval{.steps = 500}));
  EXPECT_EQ(interval("30s"), (Interval{.seconds = 30}));
  EXPECT_EQ(interval("10m"), (Interval{.seconds = 600}));
  EXPECT_EQ(interval("2h"), (Interval{.seconds = 7200}));
  EXPECT_EQ(interval("none"), Interval{});
  for (const char* wrong : {"0", "-1", "m", "10x", "1.5m", "m10", "99999999999"})
    EXPECT_THAT(run_error(kFashion + "--save_every " + wrong), HasSubstr("'--save_every'"))
        << wrong;
}

TEST(Options, SaveEveryIsShownAsItIsWritten) {
  for (const std::string text : {"500", "90s", "10m", "2h", "none"})
    EXPECT_EQ(setting(run(kFashion + "--save_every " + text), "--save_every").value, text);
}

TEST(OptionTable, HasTheDocumentedDefaultsWithoutAConfigFile) {
  const Options options = run("--dataset fake --keyword cbas").options;
  EXPECT_EQ(options.model.name, "resnet18");
  EXPECT_EQ(options.model.width_alpha, 1);
  EXPECT_EQ(options.train.epochs, 40);
  EXPECT_EQ(options.data.workers, 12);
  EXPECT_EQ(options.data.train_batch, 256);
  EXPECT_EQ(options.data.val_batch, 50);
  EXPECT_EQ(options.train.lr, 1e-2);
  EXPECT_EQ(options.train.lr_policy, LrPolicy::decay);
  EXPECT_EQ(options.train.lr_decay, 0.98);
  EXPECT_EQ(options.train.eta_min, 0);
  EXPECT_EQ(options.train.lr_fix_step, 30);
  EXPECT_THAT(options.train.lr_custom_step, ElementsAre(20, 30, 40));
  EXPECT_EQ(options.train.momentum, 0.9);
  EXPECT_EQ(options.train.weight_decay, 1e-4);
  EXPECT_EQ(options.train.custom_decay, 0.02);
  EXPECT_EQ(options.train.save_freq, -1);
  EXPECT_EQ(options.train.report_freq, 20);
  EXPECT_EQ(options.train.seed, 2u);
  EXPECT_EQ(options.train.resume_file, "checkpoint.pth.tar");
  EXPECT_EQ(options.train.weights_dir, "./weights");
  EXPECT_EQ(options.train.log_dir, "./exp");
  for (const Tag tag : {Tag::fm, Tag::wt, Tag::ot}) {
    EXPECT_FALSE(options.model.tag(tag).enable);
    EXPECT_EQ(options.model.tag(tag).half_range, tag == Tag::fm);
    EXPECT_EQ(options.model.tag(tag).scale, 0.5);
    EXPECT_EQ(options.model.tag(tag).boundary, 1);
    EXPECT_EQ(options.model.tag(tag).quant_group, 0);
  }
}

TEST(Options, HaveShortNamesAndAliases) {
  const Options options =
      run("-m resnet32 --dataset fake --keyword cbas -b 8 -v 9 -j2 -s 3 -e -r --wd 0.5").options;
  EXPECT_EQ(options.model.name, "resnet32");
  EXPECT_EQ(options.data.train_batch, 8);
  EXPECT_EQ(options.data.val_batch, 9);
  EXPECT_EQ(options.data.workers, 2);
  EXPECT_EQ(options.train.save_freq, 3);
  EXPECT_TRUE(options.train.evaluate);
  EXPECT_TRUE(options.train.resume);
  EXPECT_EQ(options.train.weight_decay, 0.5);
}

TEST(Options, TakeAttachedValues) {
  EXPECT_EQ(run(kFashion + "-b128").options.data.train_batch, 128);
  EXPECT_EQ(run(kFashion + "--lr=0.25").options.train.lr, 0.25);
  EXPECT_EQ(run(kFashion + "--case=a=b").options.train.case_name, "a=b");
  EXPECT_EQ(run_error(kFashion + "--nesterov=1"),
            "command line: option '--nesterov' takes no value");
  EXPECT_EQ(run_error(kFashion + "-e1"), "command line: option '--evaluate' takes no value");
}

TEST(Options, TakeNegativeNumbersAsValues) {
  EXPECT_EQ(run(kFashion + "-v -1 --save_freq -1").options.data.val_batch, -1);
  EXPECT_EQ(run(kFashion + "--mean -.5,0,+1e-1").options.data.mean,
            (std::array<double, 3>{-0.5, 0, 0.1}));
}

TEST(Options, ReadThoseOfTheTrainingStep) {
  const Configuration given =
      run(kFashion +
          "--extra_epoch 3 --optimizer ADAM --iter-size 4 --grad_clip 0.5 --custom_lr_list a,b "
          "--custom_lr 0.25 --warmup 5 --wakeup_epoch 2 --lr_policy sgdr_step --mixup_enable "
          "--mixup_alpha 0.2 --distill_teacher resnet56 --distill_weights t.pth "
          "--distill_loss_alpha 0.75 --distill_loss_temperature 2 --distill_loss_type soft-b "
          "--delay 1.5 -g 1");
  const TrainOptions& train = given.options.train;
  EXPECT_EQ(train.extra_epoch, 3);
  EXPECT_EQ(train.optimizer, OptimizerKind::adam);
  EXPECT_EQ(train.iter_size, 4);
  EXPECT_EQ(train.grad_clip, 0.5);
  EXPECT_THAT(train.custom_lr_list, ElementsAre("a", "b"));
  EXPECT_EQ(train.custom_lr, 0.25);
  EXPECT_EQ(train.warmup, 5);
  EXPECT_EQ(train.wakeup_epoch, 2);
  EXPECT_EQ(train.lr_policy, LrPolicy::sgdr_step);
  EXPECT_TRUE(given.options.data.mixup_enable);
  EXPECT_EQ(given.options.data.mixup_alpha, 0.2);
  EXPECT_EQ(train.distill_teacher, "resnet56");
  EXPECT_EQ(train.distill_weights, "t.pth");
  EXPECT_EQ(train.distill_alpha, 0.75);
  EXPECT_EQ(train.distill_temperature, 2);
  EXPECT_EQ(train.distill_loss, DistillLoss::soft_b);
  EXPECT_EQ(train.delay, 1.5);
  EXPECT_THAT(train.device_ids, ElementsAre(1));
  EXPECT_THAT(given.warnings, IsEmpty());
  // As a checkpoint keeps them.
  EXPECT_EQ(Configuration::from_json(given.to_json()).options, given.options);
  EXPECT_EQ(run(kFashion + "--grad_clip 1 --grad_clip none").options.train.grad_clip, std::nullopt);
}

TEST(Options, TakeTheLastOfSeveralValues) {
  EXPECT_EQ(run(kFashion + "--lr 1 --lr 2").options.train.lr, 2);
  EXPECT_TRUE(run(kFashion + "--nesterov --nesterov").options.train.nesterov);
  EXPECT_EQ(run(kFashion + "--lr_policy sgdr --lr_policy cos").options.train.lr_policy,
            LrPolicy::cos);
}

TEST(Options, ReadEveryKindOfValue) {
  const TrainOptions train =
      run(kFashion +
          "--lr_policy custom_step --lr_custom_step 5,10 --custom_decay_list clip_val,alpha "
          "--seed 18446744073709551615 --device cuda --precision bf16 --kernels reference "
          "--step graph --deterministic --verbose --dry-run --weights_dir w --log_dir l")
          .options.train;
  EXPECT_EQ(train.lr_policy, LrPolicy::custom_step);
  EXPECT_THAT(train.lr_custom_step, ElementsAre(5, 10));
  EXPECT_THAT(train.custom_decay_list, ElementsAre("clip_val", "alpha"));
  EXPECT_EQ(train.seed, 18446744073709551615u);
  EXPECT_EQ(train.device, Device::cuda);
  EXPECT_EQ(train.precision, Precision::bf16);
  EXPECT_EQ(train.kernels, Kernels::reference);
  EXPECT_EQ(train.step_mode, StepMode::graph);
  EXPECT_TRUE(train.deterministic);
  EXPECT_TRUE(train.verbose);
  EXPECT_TRUE(train.dry_run);
  EXPECT_EQ(train.weights_dir, "w");
  EXPECT_EQ(train.log_dir, "l");
}

TEST(Options, TakeNoneForTheEmptyTextAndList) {
  const TrainOptions train =
      run(kFashion + "--pretrained None --lr_custom_step none --custom_decay_list none")
          .options.train;
  EXPECT_EQ(train.pretrained, "");
  EXPECT_THAT(train.lr_custom_step, IsEmpty());
  EXPECT_THAT(train.custom_decay_list, IsEmpty());
}

TEST(Options, ReadEveryQuantizerOptionOfEveryTag) {
  for (const std::string tag : {"fm", "wt", "ot"}) {
    const std::string p = "--" + tag;
    const ModelOptions model =
        run("--dataset fake --keyword cbas,dorefa,lsq " + p + "_enable " + p + "_bit 3.0 " + p +
            "_level 7 " + p + "_half_range " + p + "_half_range " + p + "_boundary 2.5 " + p +
            "_quant_group -4 " + p + "_adaptive var-mean " + p + "_grad_type STE-scale " + p +
            "_grad_scale scale-element " + p + "_scale 0.25")
            .options.model;
    QuantOptions expected;
    expected.enable = true;
    expected.method = Method::lsq;
    expected.bit = 3;
    expected.level = 7;
    expected.half_range = tag != "fm";
    expected.boundary = 2.5;
    expected.quant_group = -4;
    expected.adaptive = Adaptive::var_mean;
    expected.grad_type = GradType::ste_scale;
    expected.grad_scale = GradScale::scale_element;
    expected.scale = 0.25;
    EXPECT_EQ(model.tag(tag == "fm" ? Tag::fm : tag == "wt" ? Tag::wt : Tag::ot), expected) << tag;
    EXPECT_EQ(expected.levels(), 7);
  }
}

TEST(Options, LetTheLaterOfTwoSpellingsCount) {
  EXPECT_EQ(run(kFashion + "--fp16").options.train.precision, Precision::fp16);
  EXPECT_EQ(run(kFashion + "--fp16 --precision fp32").options.train.precision, Precision::fp32);
  EXPECT_EQ(run(kFashion + "--precision fp32 --fp16").options.train.precision, Precision::fp16);
  EXPECT_TRUE(run(kFashion + "--decay_small").options.train.decay_small);
  EXPECT_FALSE(run(kFashion + "--decay_small --no_decay_small").options.train.decay_small);
  EXPECT_EQ(setting(run(kFashion + "--fp16"), "--precision"),
            (Setting{"--precision", "fp16", "command line"}));
  EXPECT_EQ(setting(run(kFashion + "--decay_small --no_decay_small"), "--decay_small"),
            (Setting{"--decay_small", "false", "command line"}));
}

TEST(Options, AreRefusedWithTheNearestNameIfUnknown) {
  EXPECT_EQ(run_error(kFashion + "--lr_polcy cos"),
            "command line: unknown option '--lr_polcy'; did you mean '--lr_policy'?");
  EXPECT_EQ(run_error(kFashion + "--batch-size 3"),
            "command line: unknown option '--batch-size'; did you mean '--batch_size'?");
  EXPECT_EQ(run_error(kFashion + "--learning=3"), "command line: unknown option '--learning'");
  EXPECT_THAT(run_error(kFashion + "-x3"), HasSubstr("command line: unknown option '-x3'"));
  EXPECT_EQ(run_error(kFashion + "-lr 3"),
            "command line: unknown option '-lr'; did you mean '--lr'?");
  EXPECT_EQ(run_error(kFashion + "cos"),
            "command line: unexpected 'cos': an option begins with '-'");
}

TEST(Options, AreRefusedWithoutTheirValue) {
  EXPECT_EQ(run_error(kFashion + "--lr"), "command line: option '--lr' needs a value: NUMBER");
  EXPECT_EQ(run_error(kFashion + "--lr --nesterov"),
            "command line: option '--lr' needs a value: NUMBER");
  EXPECT_EQ(run_error(kFashion + "-j"), "command line: option '--workers' needs a value: INT");
}

TEST(Options, AreRefusedWithAWrongNumber) {
  EXPECT_EQ(run_error(kFashion + "--lr abc"),
            "command line: option '--lr': 'abc' is not a number (>= 0)");
  EXPECT_EQ(run_error(kFashion + "--lr 1e-2x"),
            "command line: option '--lr': '1e-2x' is not a number (>= 0)");
  EXPECT_EQ(run_error(kFashion + "--lr nan"),
            "command line: option '--lr': 'nan' is not a number (>= 0)");
  EXPECT_EQ(run_error(kFashion + "--epochs 1.5"),
            "command line: option '--epochs': '1.5' is not an integer (0..1000000)");
  EXPECT_EQ(run_error(kFashion + "--epochs ="),
            "command line: option '--epochs': '=' is not an integer (0..1000000)");
  EXPECT_EQ(run_error(kFashion + "--seed -1"),
            "command line: option '--seed': '-1' is not an integer (0..2^64-1)");
  EXPECT_EQ(run_error(kFashion + "--mean 1,2"),
            "command line: option '--mean': '1,2' is not three numbers R,G,B");
  EXPECT_EQ(run_error(kFashion + "--mean 1,2,x"),
            "command line: option '--mean': 'x' is not a number");
}

TEST(Options, AreRefusedOutOfRange) {
  EXPECT_EQ(run_error(kLsq + "--fm_bit 0"),
            "command line: option '--fm_bit': 0 is out of range (1..8)");
  EXPECT_EQ(run_error(kLsq + "--wt_bit 9"),
            "command line: option '--wt_bit': 9 is out of range (1..8)");
  EXPECT_EQ(run_error(kLsq + "--wt_bit 2.5"),
            "command line: option '--wt_bit': '2.5' is not an integer (1..8)");
  EXPECT_EQ(run_error(kLsq + "--wt_level 1"),
            "command line: option '--wt_level': 1 is out of range (2..256)");
  EXPECT_EQ(run_error(kFashion + "--epochs 99999999999999999999"),
            "command line: option '--epochs': 99999999999999999999 is out of range (0..1000000)");
  EXPECT_EQ(run_error(kFashion + "-b 0"),
            "command line: option '--batch_size': 0 is out of range (1..1048576)");
  EXPECT_EQ(run_error(kFashion + "--momentum 1"),
            "command line: option '--momentum': 1 is out of range (>= 0, < 1)");
  EXPECT_EQ(run_error(kFashion + "--width_alpha 0"),
            "command line: option '--width_alpha': 0 is out of range (0.015625..64)");
  EXPECT_EQ(run_error(kFashion + "--std 1,0,1"),
            "command line: option '--std': 0 is out of range (> 0)");
  EXPECT_EQ(run_error(kFashion + "--lr_custom_step 30,20"),
            "command line: option '--lr_custom_step': '30,20' does not ascend");
  EXPECT_EQ(run_error(kFashion + "--case a/b"),
            "command line: option '--case': 'a/b' cannot be part of a file name");
  EXPECT_EQ(run_error(kFashion + "--case none"),
            "command line: option '--case': 'none' cannot be part of a file name");
}

TEST(Options, AreRefusedWithAnUnknownChoice) {
  EXPECT_EQ(run_error(kFashion + "--lr_policy cosine"),
            "command line: option '--lr_policy': unknown value 'cosine'");
  EXPECT_EQ(run_error(kFashion + "--lr_policy custom_stp"),
            "command line: option '--lr_policy': unknown value 'custom_stp'; did you mean "
            "'custom_step'?");
  EXPECT_EQ(run_error("--dataset fashoin --keyword cbas"),
            "command line: option '--dataset': unknown value 'fashoin'; did you mean 'fashion'?");
  EXPECT_EQ(run_error("--model resnet19 --dataset fake --keyword cbas"),
            "command line: option '--model': unknown value 'resnet19'; did you mean 'resnet18'?");
}

TEST(Options, OfWarmUpCountForEveryTagWithoutItsOwn) {
  const ModelOptions model =
      run(kFashion + "--stable 20 --wt_stable 5 --wt_correlate 0.5").options.model;
  EXPECT_EQ(model.fm.stable, 20);
  EXPECT_EQ(model.wt.stable, 5);
  EXPECT_EQ(model.wt.correlate, 0.5);
  EXPECT_EQ(run(kFashion + "--stable 20 --fm_stable -1").options.model.fm.stable, 20);
  EXPECT_EQ(run(kFashion + "--stable 20 --fm_stable 0").options.model.fm.stable, 0);
  EXPECT_EQ(run_error(kFashion + "--fm_stable -2"),
            "command line: option '--fm_stable': -2 is out of range (-1..2147483647)");
  EXPECT_EQ(run(kFashion + "--ps 7").options.model.ot.proxquant_step, 7);
}

TEST(Options, OfSeveralProcesses) {
  const TrainOptions plain = run(kFashion).options.train;
  EXPECT_FALSE(plain.device_ids_given);
  EXPECT_EQ(plain.gpus, 0);
  const TrainOptions train =
      run(kFashion + "--gpus 2 --world_size 4 --rank 2 --distributed --sync_bn -g 0 1")
          .options.train;
  EXPECT_EQ(train.gpus, 2);
  EXPECT_EQ(train.world_size, 4);
  EXPECT_EQ(train.rank, 2);
  EXPECT_TRUE(train.distributed && train.sync_bn && train.device_ids_given);
  EXPECT_EQ(run_error(kFashion + "--rank 4 --world_size 4"),
            "command line: option '--rank': 4 is none of the 4 processes of '--world_size', which "
            "are counted from 0");
}

TEST(Options, WithTheirDefaultChangeNothing) {
  const Configuration plain = run(kFashion);
  const Configuration given =
      run(kFashion +
          "--iter-size 1 --base 1 --policy None --optimizer SGD --grad_clip none --stable 0 "
          "--mixup_alpha .7 --gpus 0 --opt_level O1 --fm_stable -1 --custom_lr 0.00001 "
          "--focal_alpha -1.0 --delay 0 --order none");
  EXPECT_EQ(given.options, plain.options);
  EXPECT_THAT(given.warnings, IsEmpty());
}

TEST(Options, WithoutEffectAreAcceptedWithOneWarning) {
  EXPECT_THAT(run(kFashion + "--order cb").warnings,
              ElementsAre("command line: option '--order' has no effect without keyword "
                          "'ReShapeResolution'"));
}

TEST(Options, TakeDelayFromTheEnvironment) {
  const auto with_delay = [](const std::string& delay, const std::string& line) {
    return parse_run(std::nullopt, words_of(line), environment_of({{"DELAY", delay}}))
        .options.train.delay;
  };
  EXPECT_EQ(with_delay("", kFashion), 0);
  EXPECT_EQ(with_delay("0.5", kFashion), 0.5);
  EXPECT_EQ(with_delay("2", kFashion + "--delay 0"), 0);
  EXPECT_EQ(usage_error_of([&] { with_delay("soon", kFashion); }),
            "environment DELAY: option '--delay': 'soon' is not a number (0..86400)");
}

// As Python's argparse, which the older toolbox had.
TEST(OptionNames, MayBeAbbreviatedWhereOneAloneBeginsSo) {
  EXPECT_EQ(run("--dataset fake --keyword cbas --mom 0.8 --nest").options.train.momentum, 0.8);
  EXPECT_EQ(run("--dataset fake --keyword cbas --mom=0.7").options.train.momentum, 0.7);
  EXPECT_EQ(run_error("--dataset fake --keyword cbas --fm_bo"),
            "command line: option '--fm_boundary' needs a value: NUMBER");
  EXPECT_EQ(run_error("--dataset fake --keyword cbas --fm_b 2"),
            "command line: option '--fm_b' is ambiguous: --fm_bit, --fm_boundary");
}

TEST(StrayWords, AreThoseThatAreNeitherOptionsNorValues) {
  const auto strays = [](const std::string& line) { return stray_words(words_of(line)); };
  EXPECT_THAT(strays("--epochs 1 CONFIG --fp16 -j2"), ElementsAre(2));
  EXPECT_THAT(strays("CONFIG --lr=0.1 -r"), ElementsAre(0));
  EXPECT_THAT(strays("-e CONFIG -g 0 1 OTHER --momentum -1"), ElementsAre(1, 5));
  EXPECT_THAT(strays("-g 0,1 --case x"), testing::IsEmpty());
  EXPECT_EQ(usage_error_of([&] { strays("CONFIG --lrr 1"); }),
            "command line: unknown option '--lrr'; did you mean '--lr'?");
}

TEST(NumClasses, AreThoseOfTheFilesWhereNothingElseSaysHowMany) {
  const auto with_files = [](const std::string& line) {
    Configuration configuration = run(line);
    configuration.use_classes(3, "files");
    return configuration;
  };
  const Configuration folder = with_files("--dataset imagenet --keyword cbas");
  EXPECT_EQ(folder.options.model.num_classes, 3);
  EXPECT_EQ(folder.options.data.num_classes, 3);
  EXPECT_EQ(setting(folder, "--num_classes"), (Setting{"--num_classes", "3", "files"}));
  EXPECT_EQ(Configuration::from_json(folder.to_json()).options.model.num_classes, 3);
  for (const auto& [line, classes] :
       {std::pair("--dataset imagenet --keyword cbas --num_classes 7", 7),
        {"--dataset imagenet --keyword cifar10,cbas", 10},
        {"--dataset fake --keyword cbas", 1000}})
    EXPECT_EQ(with_files(line).options.model.num_classes, classes) << line;
}

}  // namespace
}  // namespace lowbit::config
