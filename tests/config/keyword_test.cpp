#include "lowbit/config/keyword.h"

#include <gmock/gmock.h>

#include <set>

#include "helpers.h"

namespace lowbit::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const std::string kFake = "--dataset fake ";

ModelOptions model(const std::string& keywords, const std::string& more = "") {
  return run(kFake + "--keyword " + keywords + " " + more).options.model;
}
std::string keyword_error(const std::string& keywords, const std::string& more = "") {
  return run_error(kFake + "--keyword " + keywords + " " + more);
}
std::vector<std::string> keyword_warnings(const std::string& keywords,
                                          const std::string& more = "") {
  return run(kFake + "--keyword " + keywords + " " + more).warnings;
}

const std::string kQuantized =
    "--fm_enable --fm_bit 2 --wt_enable --wt_bit 2 --ot_enable --ot_bit 2";

TEST(KeywordTable, HasEveryWordOnce) {
  std::set<std::string> seen;
  for (const std::string& name : keyword_names()) EXPECT_TRUE(seen.insert(name).second) << name;
}

TEST(KeywordTable, ExplainsEveryWordThatSetsNothing) {
  for (const KeywordGroup& group : keyword_groups())
    for (const Keyword& keyword : group.keywords) {
      EXPECT_NE(keyword.help, "") << keyword.name;
      EXPECT_FALSE(keyword.without_effect() && keyword.idle == nullptr) << keyword.name;
    }
}

TEST(Keywords, AreSeparatedByCommasThatMayBeTooMany) {
  EXPECT_TRUE(model(",cbas,,origin,").origin);
  const std::vector<std::string> line = {"--dataset", "fake", "--keyword", " cbas, fix "};
  EXPECT_TRUE(parse_run(std::nullopt, line, environment_of({})).options.model.fix);
}

TEST(Keywords, SetTheStructure) {
  const ModelOptions plain = model("cbas");
  EXPECT_EQ(plain.order, BlockOrder::cbas);
  EXPECT_FALSE(plain.origin || plain.fix || plain.fix_pooling || plain.singleconv ||
               plain.real_skip || plain.zero_init_residual || plain.first_last || plain.cifar_stem);
  EXPECT_EQ(model("cbsa").order, BlockOrder::cbsa);
  EXPECT_TRUE(model("cbas,origin").origin);
  EXPECT_TRUE(model("cbas,fix").fix);
  EXPECT_TRUE(model("cbas,fix_pooling").fix_pooling);
  EXPECT_TRUE(model("cbas,singleconv").singleconv);
  EXPECT_TRUE(model("cbas,real_skip").real_skip);
  EXPECT_TRUE(model("cbas,zir").zero_init_residual);
  EXPECT_TRUE(model("cbas,first-last").first_last);
  EXPECT_TRUE(model("cbas,cifar10").cifar_stem);
  EXPECT_TRUE(model("cbas,cifar100").cifar_stem);
  EXPECT_TRUE(model("cbas,fashion").cifar_stem);
}

TEST(Keywords, SetTheActivation) {
  EXPECT_EQ(model("cbas").activation, Activation::relu);
  EXPECT_EQ(model("cbas,PReLU").activation, Activation::prelu);
  EXPECT_EQ(model("cbas,NReLU").activation, Activation::none);
  EXPECT_EQ(model("cbas,ReLU6").activation, Activation::relu6);
  EXPECT_EQ(model("cbas,LReLU").activation, Activation::leaky_relu);
}

TEST(Keywords, OfOneKindCountInTheOrderOfTheTable) {
  EXPECT_EQ(model("cbsa,cbas").order, BlockOrder::cbas);
  EXPECT_THAT(keyword_warnings("cbsa,cbas"),
              ElementsAre("command line: keyword 'cbsa' has no effect: 'cbas' counts"));
  EXPECT_EQ(model("cbas,LReLU,NReLU").activation, Activation::none);
}

std::vector<Method> methods(const std::string& keywords) {
  const ModelOptions options = model("cbas," + keywords, kQuantized);
  return {options.fm.method, options.wt.method, options.ot.method};
}

TEST(Keywords, ChooseTheMethodOfEveryTag) {
  EXPECT_THAT(methods("dorefa"), ElementsAre(Method::dorefa, Method::dorefa, Method::dorefa));
  EXPECT_THAT(methods("lsq,dorefa"), ElementsAre(Method::lsq, Method::lsq, Method::lsq));
  EXPECT_THAT(methods("fm_lsq,dorefa"), ElementsAre(Method::lsq, Method::dorefa, Method::dorefa));
  EXPECT_THAT(methods("dorefa,wt_lsq"), ElementsAre(Method::dorefa, Method::lsq, Method::dorefa));
  EXPECT_THAT(methods("dorefa,ot_lsq"), ElementsAre(Method::dorefa, Method::dorefa, Method::lsq));
  EXPECT_THAT(methods("lq"), ElementsAre(Method::lq, Method::lq, Method::lq));
}

TEST(Keywords, GivePactTheWeightsOfDorefa) {
  EXPECT_THAT(methods("pact"), ElementsAre(Method::pact, Method::dorefa, Method::pact));
  EXPECT_THAT(methods("pact,wt_lsq"), ElementsAre(Method::pact, Method::lsq, Method::pact));
}

TEST(Keywords, SayWhatTheyNeed) {
  EXPECT_EQ(keyword_error("cbas,lsq", kQuantized),
            "command line: keyword 'lsq' needs 'dorefa' or 'pact', too: add 'dorefa'");
  EXPECT_EQ(keyword_error("cbas,wt_lsq", kQuantized),
            "command line: keyword 'wt_lsq' needs 'dorefa' or 'pact', too: add 'dorefa'");
}

TEST(Keywords, SetTheDetailsOfTheMethods) {
  EXPECT_TRUE(model("cbas,dorefa,wt_bin", "--wt_enable --wt_bit 1").wt.binary_mean);
  EXPECT_TRUE(model("cbas,dorefa,wt_gamma", kQuantized).wt.gamma);
  EXPECT_FALSE(model("cbas,dorefa,wt_gamma", kQuantized).ot.gamma);
  EXPECT_TRUE(model("cbas,dorefa,ot_gamma", kQuantized).ot.gamma);
  EXPECT_TRUE(model("cbas,xnor,gamma", "--wt_enable --wt_bit 1").wt.gamma);
  EXPECT_TRUE(
      model("cbas,dorefa,non-uniform,fm_closed_form", "--fm_enable --fm_bit 2").fm.closed_form);
  EXPECT_TRUE(model("cbas,lq,custom-update", kQuantized).wt.custom_update);
  EXPECT_TRUE(model("cbas,lq,proxquant", kQuantized).fm.proxquant);
  const ModelOptions symmetric =
      model("cbas,dorefa,lsq,symmetry,independent_norm", kQuantized + " --wt_adaptive var-mean");
  EXPECT_TRUE(symmetric.fm.symmetry && symmetric.wt.symmetry && symmetric.ot.symmetry);
  EXPECT_TRUE(symmetric.wt.independent_norm);
}

TEST(Keywords, AreRefusedWithTheNearestNameIfUnknown) {
  EXPECT_EQ(keyword_error("cbas,orgin"),
            "command line: unknown keyword 'orgin'; did you mean 'origin'?");
  EXPECT_EQ(keyword_error("cbas,Origin"),
            "command line: unknown keyword 'Origin'; did you mean 'origin'?");
  EXPECT_EQ(keyword_error("cbas,quite-else"), "command line: unknown keyword 'quite-else'");
}

TEST(Keywords, SetTheStructureOfResNets) {
  EXPECT_EQ(model("bacs").order, BlockOrder::bacs);
  EXPECT_EQ(model("cabs").order, BlockOrder::cabs);
  EXPECT_EQ(model("bcas").order, BlockOrder::bcas);
  EXPECT_TRUE(model("bacs,preBN").pre_norm);
  EXPECT_TRUE(model("bacs,preBN,patch_preBN_stem").patch_pre_norm_stem);
  EXPECT_TRUE(model("cabs,group-net").group_net);
  EXPECT_EQ(model("cbsa", "--base 5").base, 5);
  EXPECT_EQ(model("cbsa,TResNetStem").stem, Stem::space_to_depth);
  EXPECT_EQ(model("cbsa,TResNetStem", "--stem_kernel 3").stem_kernel, 3);
  EXPECT_EQ(model("cbsa,TResNetStemMaxPool").stem, Stem::space_to_depth_pool);
  EXPECT_TRUE(model("cbsa,identify_norm").identity_norm);
  EXPECT_TRUE(model("cbsa,identity_norm").identity_norm);
  EXPECT_TRUE(model("cbsa,DCHR").dchr);
  EXPECT_TRUE(model("cbsa,fixup").fixup);
  EXPECT_FALSE(model("cbsa,fixup").fixup_bias);
  EXPECT_TRUE(model("cbsa,fixup,bias").fixup_bias);
  const ModelOptions shrunk = model("cbsa,ReShapeResolution,ldn3x3,f1x1,s3x3", "--order cb");
  EXPECT_TRUE(shrunk.reshape_resolution && shrunk.shrink_full);
  EXPECT_EQ(shrunk.shrink_order, "cb");
  EXPECT_EQ(shrunk.first_conv, ConvForm::point);
  EXPECT_EQ(shrunk.second_conv, ConvForm::full);
  const ModelOptions prone = model("cbsa,prone,no_prone_downsample,bn_before_restore");
  EXPECT_TRUE(prone.prone && prone.norm_before_restore && !prone.prone_downsample);
  EXPECT_TRUE(model("cbsa,prone").prone_downsample);
}

TEST(Keywords, SetTheStructureOfOtherFamilies) {
  const ModelOptions v1 = model("cbsa,bireal,react,real_dp,real_pt,normal3x3", "-m mobilenetv1");
  EXPECT_EQ(v1.family, Family::mobilenetv1);
  EXPECT_TRUE(v1.bireal_skip && v1.react && v1.real_depthwise && v1.real_pointwise && v1.normal3x3);
  EXPECT_TRUE(model("cbsa,block_skip", "-m mobilenetv1").block_skip);
  EXPECT_EQ(model("cba", "-m vgg_small").unit_order, UnitOrder::cba);
  EXPECT_TRUE(model("caffe-pooling,first-last", "-m pytorch-resnet18").caffe_pooling);
}

TEST(Keywords, OfWhichTheModelNeedsOneAreNamed) {
  const std::string needs = " needs an order of its layers: add keyword ";
  EXPECT_EQ(keyword_error("origin"),
            "command line: model 'resnet18'" + needs + "cbas, cbsa, cabs, bacs or bcas");
  EXPECT_EQ(keyword_error("cabs", "-m mobilenetv1"),
            "command line: model 'mobilenetv1'" + needs + "cbas, cbsa or bacs");
  EXPECT_EQ(keyword_error("cbsa", "-m mobilenetv2"),
            "command line: model 'mobilenetv2'" + needs + "cbas or bacs");
  EXPECT_EQ(keyword_error("cbsa", "-m vgg_small"),
            "command line: model 'vgg_small'" + needs + "bac, cba or abc");
  EXPECT_THAT(keyword_warnings("imagenet", "-m nin --epochs 0").size(), 1);
}

TEST(Keywords, ThatExcludeEachOtherAreRefused) {
  EXPECT_EQ(keyword_error("cbsa,bireal,block_skip", "-m mobilenetv1"),
            "command line: keywords 'bireal' and 'block_skip' exclude each other");
  EXPECT_EQ(keyword_error("bacs,prone,preBN"),
            "command line: keywords 'prone' and 'preBN' exclude each other");
  EXPECT_EQ(keyword_error("cbsa,ReShapeResolution", "--order ba"),
            "command line: keyword 'ReShapeResolution' needs '--order' with a letter c "
            "(convolution), b (norm), a (activation)");
  EXPECT_EQ(keyword_error("cbsa,ReShapeResolution", "--order cbx"),
            "command line: option '--order': 'cbx' has a letter that is none of c (convolution), "
            "b (norm), a (activation)");
}

TEST(Keywords, RefuseNumbersOfLevelsThatTheMethodDoesNotHave) {
  EXPECT_EQ(model("cbsa,xnor", "--fm_enable").fm.levels(), 2) << "it has no other number of them";
  EXPECT_EQ(keyword_error("cbsa,xnor", "--fm_enable --fm_bit 2"),
            "command line: xnor has 2 levels, not 4");
  EXPECT_EQ(keyword_error("cbsa,dorefa,non-uniform", "--wt_enable --wt_bit 2"),
            "command line: non-uniform in full range has 3 levels, not 4");
  EXPECT_EQ(keyword_error("cbsa,dorefa,non-uniform", "--fm_enable --fm_bit 3"),
            "command line: non-uniform in half range has 2 to 4 levels, not 8");
  EXPECT_EQ(model("cbsa,dorefa,non-uniform", "--fm_enable --fm_bit 2").fm.method,
            Method::non_uniform);
}

TEST(Keywords, WithoutEffectAreAcceptedWithOneWarningEach) {
  for (const std::string word : {"imagenet", "mean", "raw", "save", "keepdim", "postbn"})
    EXPECT_THAT(keyword_warnings("cbas," + word + "," + word),
                ElementsAre("command line: keyword '" + word +
                            "' has no effect: it is accepted from old files"));
  EXPECT_THAT(
      keyword_warnings("cbas,mean,bireal,custom-update"),
      UnorderedElementsAre(
          "command line: keyword 'mean' has no effect: it is accepted from old files",
          "command line: keyword 'bireal' has no effect: model 'resnet18' does not read it",
          "command line: keyword 'custom-update' has no effect: neither lq nor a closed form is "
          "used"));
}

TEST(Keywords, AndOptionsOfOtherFamiliesWarn) {
  const std::string v1 = "--model mobilenetv1";
  EXPECT_THAT(keyword_warnings("cbsa,bireal,react", v1), IsEmpty());
  EXPECT_THAT(keyword_warnings("bacs,bireal,react", v1),
              ElementsAre("command line: keyword 'react' has no effect: order bacs has none"));
  EXPECT_THAT(keyword_warnings("cbsa,block_skip,identify_norm", v1), IsEmpty());
  EXPECT_THAT(keyword_warnings("cbsa,DCHR", v1),
              ElementsAre("command line: keyword 'DCHR' has no effect: mobilenetv1 reads it with "
                          "keyword 'block_skip' alone"));
  EXPECT_THAT(keyword_warnings("cba", "--model vgg_small --width_alpha 0.5"),
              ElementsAre("command line: option '--width_alpha' has no effect: model 'vgg_small' "
                          "does not read it"));
}

TEST(Keywords, ThatFitNothingGivenWarnWhy) {
  EXPECT_THAT(keyword_warnings("cbas,real_skip"),
              ElementsAre("command line: keyword 'real_skip' has no effect: nothing is quantized"));
  EXPECT_THAT(keyword_warnings("cbas,real_skip,dorefa", "--wt_enable --wt_bit 2"), IsEmpty());
  EXPECT_THAT(keyword_warnings("cbas,dorefa"),
              ElementsAre("command line: keyword 'dorefa' has no effect: nothing is quantized"));
  EXPECT_THAT(keyword_warnings("cbas,cifar10,fix_pooling"),
              ElementsAre("command line: keyword 'fix_pooling' has no effect: the stem has no "
                          "pooling"));
  EXPECT_THAT(keyword_warnings("cbas,fix_pooling"), IsEmpty());
  EXPECT_THAT(keyword_warnings("cbas,prone,f1x1,s1x1"),
              ElementsAre("command line: keyword 'f1x1' has no effect: keyword "
                          "'ReShapeResolution' is not given"));
  EXPECT_THAT(
      keyword_warnings("cbas,first-last"),
      ElementsAre("command line: keyword 'first-last' has no effect: model 'resnet18' does not "
                  "read it"));
  EXPECT_THAT(
      keyword_warnings("cbas,dorefa,fm_lsq", "--wt_enable --wt_bit 2"),
      ElementsAre("command line: keyword 'fm_lsq' has no effect: --fm_enable is not given"));
  EXPECT_THAT(
      keyword_warnings("cbas,dorefa,wt_bin", "--wt_enable --wt_bit 2"),
      ElementsAre("command line: keyword 'wt_bin' has no effect: weights are not quantized to "
                  "two levels by dorefa"));
  EXPECT_THAT(
      keyword_warnings("cbas,dorefa,symmetry", "--wt_enable --wt_bit 2"),
      ElementsAre("command line: keyword 'symmetry' has no effect: lsq quantizes nothing to "
                  "more than two levels in full range"));
  EXPECT_THAT(
      keyword_warnings("cbas,lq,independent_norm", "--wt_enable --wt_bit 2 --wt_adaptive mean-var"),
      ElementsAre("command line: keyword 'independent_norm' has no effect: lq normalizes "
                  "each of its groups"));
  EXPECT_THAT(keyword_warnings("cbas,dorefa,independent_norm", "--wt_enable --wt_bit 2"),
              ElementsAre("command line: keyword 'independent_norm' has no effect: weights are not "
                          "normalized"));
}

TEST(Keywords, WithoutEffectLeaveTheQuantizerAsItIs) {
  EXPECT_THAT(
      keyword_warnings("cbas,dorefa,lsq,wt_gamma", kQuantized),
      ElementsAre("command line: keyword 'wt_gamma' has no effect: the method is not dorefa"));
  EXPECT_FALSE(model("cbas,dorefa,lsq,wt_gamma", kQuantized).wt.gamma);
  EXPECT_FALSE(model("cbas,dorefa,lsq,wt_bin", kQuantized).wt.binary_mean);
}

TEST(Keywords, DebugIsVerbose) {
  EXPECT_TRUE(run(kFake + "--keyword cbas,debug").options.train.verbose);
  EXPECT_FALSE(run(kFake + "--keyword cbas").options.train.verbose);
}

}  // namespace
}  // namespace lowbit::config
