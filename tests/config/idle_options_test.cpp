// Options that change nothing beside the others: each is one warning.
#include <gmock/gmock.h>

#include "helpers.h"

namespace lowbit::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::string kAnyModel = "--dataset fake --keyword cbas ";
const std::string kXnorRun =
    "--dataset fake --keyword cbas,xnor --fm_enable --fm_bit 1 --wt_enable --wt_bit 1 ";
const std::string kDorefaRun =
    "--dataset fake --keyword cbas,dorefa --fm_enable --fm_bit 2 --wt_enable --wt_bit 2 ";

struct Idle {
  std::string line, option, reason;
};

class IdleOption : public testing::TestWithParam<Idle> {};

TEST_P(IdleOption, IsAWarningThatSaysWhy) {
  const auto& [line, option, reason] = GetParam();
  EXPECT_THAT(run(line).warnings,
              ElementsAre("command line: option '" + option + "' has no effect" + reason));
}

INSTANTIATE_TEST_SUITE_P(
    All, IdleOption,
    testing::Values(
        Idle{kAnyModel + "--fm_boundary 2", "--fm_boundary", " without '--fm_enable'"},
        Idle{kAnyModel + "--wt_stable 5", "--wt_stable", " without '--wt_enable'"},
        Idle{kAnyModel + "--ot_grad_scale fan-scale", "--ot_grad_scale", " without '--ot_enable'"},
        Idle{kAnyModel + "--padding_after_quant", "--padding_after_quant",
             " without '--fm_enable'"},
        Idle{kAnyModel + "--stable 5", "--stable", ": nothing is quantized"},
        Idle{kXnorRun + "--stable 5", "--stable", " with method xnor, which has no warm-up"},
        Idle{kXnorRun + "--fm_boundary 2", "--fm_boundary", " with method xnor"},
        Idle{kDorefaRun + "--fm_custom channel", "--fm_custom", " with method dorefa"},
        Idle{kDorefaRun + "--fm_half_range", "--fm_half_range", " with method dorefa"},
        Idle{kDorefaRun + "--fm_quant_group 4", "--fm_quant_group", " with method dorefa"},
        Idle{kDorefaRun + "--wt_grad_scale fan-scale", "--wt_grad_scale", " with method dorefa"},
        Idle{kLsq + "--fm_scale 0.25", "--fm_scale", " without a gradient scale"},
        Idle{kLsq + "--fm_correlate 0.5", "--fm_correlate", " without a warm-up (--stable)"},
        Idle{kLsq + "--ps 3", "--proxquant_step", " without keyword 'proxquant'"},
        Idle{kAnyModel + "--stem_kernel 3", "--stem_kernel", " without keyword 'TResNetStem'"},
        Idle{"--dataset fake --model nin --base 2", "--base", ": model 'nin' does not read it"},
        Idle{kAnyModel + "--lr_policy cos --lr_decay 0.1", "--lr_decay", " with '--lr_policy cos'"},
        Idle{kAnyModel + "--eta_min 0.1", "--eta_min", " with '--lr_policy decay'"},
        Idle{kAnyModel + "--lr_policy fix --lr_fix_step 3", "--lr_fix_step",
             " with '--lr_policy fix'"},
        Idle{kAnyModel + "--lr_custom_step 3", "--lr_custom_step", " with '--lr_policy decay'"},
        Idle{kAnyModel + "--custom_decay 1", "--custom_decay", " without '--custom_decay_list'"},
        Idle{kAnyModel + "--optimizer ADAM --momentum 0.5", "--momentum", " with ADAM"},
        Idle{kAnyModel + "--resume_file x", "--resume_file", " without '--resume'"},
        Idle{kAnyModel + "-e --pretrained p --resume_file x", "--resume_file",
             " without '--resume'"},
        Idle{kAnyModel + "--re_init", "--re_init", " without '--pretrained'"},
        Idle{kAnyModel + "--unresume_scope fc", "--unresume_scope",
             " without '--pretrained' or '--resume'"},
        Idle{kAnyModel + "-e --pack", "--pack", " with '--evaluate'"},
        Idle{kAnyModel + "--probe_index 3", "--probe_index", " without keyword 'probe'"},
        Idle{kAnyModel + "--distill_weights x", "--distill_weights",
             " without '--distill_teacher'"},
        Idle{kAnyModel + "--device cpu --step graph", "--step", " with '--device cpu'"},
        Idle{kAnyModel + "--mirror http://x", "--mirror", " on data set 'fake'"}));

TEST(IdleOptions, AreNotThoseThatAnotherOneReads) {
  for (const std::string& line :
       {kAnyModel + "-r --resume_file x", kAnyModel + "-e --resume_file x",
        kAnyModel + "--lr_policy fix_step --lr_fix_step 3 --lr_decay 0.1",
        kAnyModel + "--keyword cbas,group-norm --fm_quant_group 8",
        kDorefaRun + "--wt_quant_group 1 --wt_adaptive var-mean --fm_boundary 2",
        kLsq + "--stable 5 --fm_correlate 0.5 --fm_grad_scale fan-scale --fm_scale 0.25",
        kLsq + "--pretrained p --re_init --unresume_scope fc",
        kXnorRun + "--fm_custom channel --wt_quant_group 2"})
    EXPECT_THAT(run(line).warnings, IsEmpty()) << line;
}

// A default that is given changes nothing.
TEST(IdleOptions, AreSilentAsLongAsTheyAreTheirDefault) {
  EXPECT_THAT(run(kAnyModel + "--fm_boundary 1 --fm_stable -1 --resume_file checkpoint.pth.tar "
                              "--lr_fix_step 30")
                  .warnings,
              IsEmpty());
}

// It may enable what the options do not.
TEST(IdleOptions, OfQuantizersAreLeftToAPolicy) {
  const TemporaryConfig policy("on init :\nby_tag: fm\nenable: True\nmethod: lsq\nbit: 2\n");
  EXPECT_THAT(run(kAnyModel + "--fm_boundary 2 --policy " + policy.path().string()).warnings,
              IsEmpty());
}

}  // namespace
}  // namespace lowbit::config
