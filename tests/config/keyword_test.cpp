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
std::string error(const std::string& keywords, const std::string& more = "") {
  return run_error(kFake + "--keyword " + keywords + " " + more);
}
std::vector<std::string> warnings(const std::string& keywords, const std::string& more = "") {
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
      EXPECT_STRNE(keyword.help, "") << keyword.name;
      EXPECT_FALSE(keyword.without_effect() && keyword.idle == nullptr) << keyword.name;
      EXPECT_FALSE(!keyword.built && (keyword.set || keyword.idle)) << keyword.name;
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
  EXPECT_THAT(warnings("cbsa,cbas"),
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
}

TEST(Keywords, SayWhatTheyNeed) {
  EXPECT_EQ(error("cbas,lsq", kQuantized),
            "command line: keyword 'lsq' needs 'dorefa' or 'pact', too: add 'dorefa'");
  EXPECT_EQ(error("cbas,wt_lsq", kQuantized),
            "command line: keyword 'wt_lsq' needs 'dorefa' or 'pact', too: add 'dorefa'");
}

TEST(Keywords, SetTheDetailsOfTheMethods) {
  EXPECT_TRUE(model("cbas,dorefa,wt_bin", "--wt_enable --wt_bit 1").wt.binary_mean);
  EXPECT_TRUE(model("cbas,dorefa,wt_gamma", kQuantized).wt.gamma);
  EXPECT_FALSE(model("cbas,dorefa,wt_gamma", kQuantized).ot.gamma);
  EXPECT_TRUE(model("cbas,dorefa,ot_gamma", kQuantized).ot.gamma);
  const ModelOptions symmetric =
      model("cbas,dorefa,lsq,symmetry,independent_norm", kQuantized + " --wt_adaptive var-mean");
  EXPECT_TRUE(symmetric.fm.symmetry && symmetric.wt.symmetry && symmetric.ot.symmetry);
  EXPECT_TRUE(symmetric.wt.independent_norm);
}

TEST(Keywords, AreRefusedWithTheNearestNameIfUnknown) {
  EXPECT_EQ(error("cbas,orgin"), "command line: unknown keyword 'orgin'; did you mean 'origin'?");
  EXPECT_EQ(error("cbas,Origin"), "command line: unknown keyword 'Origin'; did you mean 'origin'?");
  EXPECT_EQ(error("cbas,quite-else"), "command line: unknown keyword 'quite-else'");
}

TEST(Keywords, ThatAreNotBuiltAreRefusedByName) {
  for (const std::string word : {"cabs",
                                 "bacs",
                                 "bcas",
                                 "preBN",
                                 "group-net",
                                 "fixup",
                                 "ReShapeResolution",
                                 "prone",
                                 "DCHR",
                                 "identity_norm",
                                 "TResNetStem",
                                 "pact",
                                 "non-uniform",
                                 "fm_non-uniform",
                                 "lq",
                                 "xnor",
                                 "proxquant",
                                 "group-norm",
                                 "instance-norm",
                                 "label-smooth",
                                 "probe",
                                 "lr-test",
                                 "less_bn"})
    EXPECT_EQ(error("cbas," + word), "command line: keyword '" + word + "' is not built yet");
}

TEST(Keywords, WithoutEffectAreAcceptedWithOneWarningEach) {
  for (const std::string word : {"imagenet", "mean", "raw", "save", "keepdim", "postbn"})
    EXPECT_THAT(warnings("cbas," + word + "," + word),
                ElementsAre("command line: keyword '" + word +
                            "' has no effect: it is accepted from old files"));
  EXPECT_THAT(
      warnings("cbas,mean,bireal,custom-update"),
      UnorderedElementsAre(
          "command line: keyword 'mean' has no effect: it is accepted from old files",
          "command line: keyword 'bireal' has no effect: only other models read it",
          "command line: keyword 'custom-update' has no effect: only other methods read it"));
}

TEST(Keywords, ThatFitNothingGivenWarnWhy) {
  EXPECT_THAT(warnings("cbas,real_skip"),
              ElementsAre("command line: keyword 'real_skip' has no effect: nothing is quantized"));
  EXPECT_THAT(warnings("cbas,real_skip,dorefa", "--wt_enable --wt_bit 2"), IsEmpty());
  EXPECT_THAT(warnings("cbas,dorefa"),
              ElementsAre("command line: keyword 'dorefa' has no effect: nothing is quantized"));
  EXPECT_THAT(warnings("cbas,cifar10,fix_pooling"),
              ElementsAre("command line: keyword 'fix_pooling' has no effect: the 3x3 stem has no "
                          "pooling"));
  EXPECT_THAT(warnings("cbas,fix_pooling"), IsEmpty());
  EXPECT_THAT(
      warnings("cbas,first-last"),
      ElementsAre("command line: keyword 'first-last' has no effect: first and last layer of "
                  "this family are never quantized"));
  EXPECT_THAT(
      warnings("cbas,dorefa,fm_lsq", "--wt_enable --wt_bit 2"),
      ElementsAre("command line: keyword 'fm_lsq' has no effect: --fm_enable is not given"));
  EXPECT_THAT(
      warnings("cbas,dorefa,wt_bin", "--wt_enable --wt_bit 2"),
      ElementsAre("command line: keyword 'wt_bin' has no effect: weights are not quantized to "
                  "two levels by dorefa"));
  EXPECT_THAT(
      warnings("cbas,dorefa,symmetry", "--wt_enable --wt_bit 2"),
      ElementsAre("command line: keyword 'symmetry' has no effect: lsq quantizes nothing to "
                  "more than two levels in full range"));
  EXPECT_THAT(warnings("cbas,dorefa,independent_norm", "--wt_enable --wt_bit 2"),
              ElementsAre("command line: keyword 'independent_norm' has no effect: weights are not "
                          "normalized"));
}

TEST(Keywords, WithoutEffectLeaveTheQuantizerAsItIs) {
  EXPECT_THAT(
      warnings("cbas,dorefa,lsq,wt_gamma", kQuantized),
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
