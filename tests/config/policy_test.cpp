#include "lowbit/config/policy.h"

#include <gmock/gmock.h>

#include "helpers.h"
#include "lowbit/core/files.h"

namespace lowbit::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::string policy_error(const std::string& text) {
  return usage_error_of([&] { parse_policy(text, "p"); });
}

std::vector<std::string> texts(const std::vector<Argument>& words) {
  std::vector<std::string> result;
  for (const Argument& word : words) result.push_back(word.text);
  return result;
}

TEST(PolicyFile, HoldsSectionsOfBlocks) {
  const Policy policy = parse_policy(
      "# a comment\n"
      "on init :\n"
      "  by_index: 0 1 2   # the first ones\n"
      "  by_tag: fm wt\n"
      "  bit: 4\n"
      "  scale: 0.25\r\n"
      "  by_index: all\n"
      "  correlate: 0.5\n"
      "\n"
      "on epoch : 10 20\n"
      "\tby_tag: wt\n"
      "\t\tlevel_num : -1\n",
      "p");
  ASSERT_THAT(policy.sections, SizeIs(2));
  EXPECT_EQ(policy.sections[0].event, PolicyEvent::init);
  ASSERT_THAT(policy.sections[0].blocks, SizeIs(2));
  const PolicyBlock& first = policy.sections[0].blocks[0];
  EXPECT_THAT(texts(first.indices), ElementsAre("0", "1", "2"));
  EXPECT_THAT(first.tags, ElementsAre(Tag::fm, Tag::wt));
  ASSERT_THAT(first.changes, SizeIs(2));
  EXPECT_EQ(first.changes[1].name.text, "scale");
  EXPECT_EQ(first.changes[1].value.text, "0.25");
  EXPECT_EQ(first.changes[1].value.place(), "p:6");
  const PolicyBlock& second = policy.sections[0].blocks[1];
  EXPECT_THAT(second.indices, IsEmpty());
  EXPECT_THAT(second.tags, ElementsAre(Tag::fm, Tag::wt, Tag::ot));
  EXPECT_EQ(policy.sections[1].event, PolicyEvent::epoch);
  EXPECT_THAT(policy.sections[1].epochs, ElementsAre(10, 20));
  EXPECT_THAT(policy.warnings, IsEmpty());
}

TEST(PolicyFile, TakesSectionsWithoutSelectors) {
  const Policy policy = parse_policy("on init :\nstable: 5", "p");
  ASSERT_THAT(policy.sections[0].blocks, SizeIs(1));
  EXPECT_THAT(policy.sections[0].blocks[0].tags, SizeIs(3));
  EXPECT_TRUE(parse_policy("\n# nothing\n", "p").empty());
}

TEST(PolicyFile, WarnsAboutWhatHasNoEffect) {
  EXPECT_THAT(parse_policy("on norm :\nenable: True\non eltwise :\nbit: 2", "p").warnings,
              ElementsAre("p:1: section 'on norm' has no effect: norms are not quantized",
                          "p:3: section 'on eltwise' has no effect: sums of branches are not "
                          "quantized"));
  EXPECT_THAT(parse_policy("on init :\nratio: 0.5", "p").warnings,
              ElementsAre("p:2: attribute 'ratio' has no effect in any method"));
  EXPECT_THAT(parse_policy("on init :\nby_tag: fm\n", "p").warnings,
              ElementsAre("p:2: nothing follows the selector 'by_tag'"));
}

TEST(PolicyFile, NamesTheNearestOfWhatIsUnknown) {
  EXPECT_EQ(policy_error("\non inti :"), "p:2: unknown section 'on inti'; did you mean 'init'?");
  EXPECT_EQ(policy_error("on init :\nby_indx: all"),
            "p:2: unknown selector 'by_indx'; did you mean 'by_index'?");
  EXPECT_EQ(policy_error("on init :\nby_tag: fm wd"), "p:2: unknown tag 'wd'; did you mean 'wt'?");
  EXPECT_EQ(policy_error("on init :\nby_tag: fm\n  adaptiv: var"),
            "p:3: unknown attribute 'adaptiv'; did you mean 'adaptive'?");
  EXPECT_EQ(policy_error("on init :\nbyindex: all"),
            "p:2: unknown attribute 'byindex'; did you mean 'by_index'?");
  EXPECT_EQ(policy_error("on init :\nadaptive: vra-mean"),
            "p:2: 'adaptive': unknown value 'vra-mean'; did you mean 'var-mean'?");
  EXPECT_EQ(policy_error("on init :\nmethod: lsp"),
            "p:2: 'method': unknown value 'lsp'; did you mean 'lsq'?");
  EXPECT_EQ(policy_error("on init :\nenable: Ture"),
            "p:2: 'enable': unknown value 'Ture'; did you mean 'True'?");
}

TEST(PolicyFile, NamesTheLineOfEveryFault) {
  EXPECT_EQ(policy_error("bit: 2"), "p:1: 'bit: 2' stands before the first section");
  EXPECT_EQ(policy_error("on init :\nbit 2"),
            "p:2: 'bit 2' is neither 'on EVENT :' nor 'attribute: value'");
  EXPECT_EQ(policy_error("on init :\nbit: 9"), "p:2: 'bit': 9 is out of range (1..8)");
  EXPECT_EQ(policy_error("on init :\nbit: two"), "p:2: 'bit': 'two' is not an integer (1..8)");
  EXPECT_EQ(policy_error("on init :\nscale: 0"), "p:2: 'scale': 0 is out of range (> 0)");
  EXPECT_EQ(policy_error("on init :\nby_index: -1"),
            "p:2: 'by_index': -1 is out of range (0..1000000)");
  EXPECT_EQ(policy_error("on init :\nby_index:"), "p:2: 'by_index' without a value");
  EXPECT_EQ(policy_error("on epoch :\nbit: 2"),
            "p:1: 'on epoch :' without the epochs: on epoch : 10 20");
  EXPECT_EQ(policy_error("on epoch : ten"),
            "p:1: 'on epoch': 'ten' is not an integer (0..1000000)");
  EXPECT_EQ(policy_error("on init : 3"), "p:1: 'on init :' takes no numbers");
}

// The options of an LSQ quantizer with 4 bits after one attribute.
QuantOptions after(const std::string& line, Tag tag = Tag::fm) {
  QuantOptions options;
  options.enable = true;
  options.method = Method::lsq;
  options.bit = 4;
  const Policy policy = parse_policy("on init :\nby_tag: fm wt ot\n" + line, "p");
  return changed(options, tag, policy.sections[0].blocks[0].changes);
}

TEST(PolicyAttribute, SetsItsOption) {
  EXPECT_FALSE(after("enable: False").enable);
  EXPECT_EQ(after("bit: 2.0").levels(), 4);
  EXPECT_TRUE(after("half_range: True").half_range);
  EXPECT_EQ(after("scale: 0.25").scale, 0.25);
  EXPECT_EQ(after("correlate: 0.5").correlate, 0.5);
  EXPECT_EQ(after("adaptive: 'var-mean'").adaptive, Adaptive::var_mean);
  EXPECT_TRUE(after("adaptive_restore: true").adaptive_restore);
  EXPECT_EQ(after("grad_scale: \"fan-scale\"").grad_scale, GradScale::fan_scale);
  EXPECT_EQ(after("grad_type: Triangle").grad_type, GradType::triangle);
  EXPECT_EQ(after("custom: channel").xnor_factor, XnorFactor::channel);
  EXPECT_EQ(after("stable: 7").stable, 7);
  EXPECT_TRUE(after("progressive: True").progressive);
  EXPECT_TRUE(after("quant_loss_enable: 1").loss_enable);
  EXPECT_EQ(after("quant_loss_function: QDL").loss_function, QuantLoss::qdl);
  EXPECT_EQ(after("quant_loss_alpha: 0.1").loss_alpha, 0.1);
  EXPECT_EQ(after("boundary: 3").boundary, 3);
  EXPECT_EQ(after("quant_group: -2").quant_group, -2);
  EXPECT_EQ(after("method: dorefa").method, Method::dorefa);
  EXPECT_TRUE(after("gamma: True").gamma);
  EXPECT_TRUE(after("symmetry: True").symmetry);
  EXPECT_TRUE(after("independent_norm: True").independent_norm);
  EXPECT_TRUE(after("closed_form: True").closed_form);
  EXPECT_TRUE(after("custom_update: True").custom_update);
  EXPECT_TRUE(after("proxquant: True").proxquant);
}

TEST(PolicyAttribute, OfLevelsHasThreeNamesAndCountsDownBelowZero) {
  for (const char* name : {"num_levels", "level_num", "level"}) {
    EXPECT_EQ(after(name + std::string(": 3")).levels(), 3);
    EXPECT_EQ(after(name + std::string(": -4")).levels(), 12);
  }
  EXPECT_EQ(after("level: 3\nbit: 2").levels(), 4) << "the later counts";
  EXPECT_EQ(after("bit: 2\nlevel: -1").levels(), 3);
  EXPECT_EQ(usage_error_of([] { after("level: -15"); }),
            "p:3: 'level: -15': 1 levels are out of range (2..256)");
}

TEST(PolicyAttribute, OfMethodGivesPactsWeightsToDorefa) {
  EXPECT_EQ(after("method: pact", Tag::fm).method, Method::pact);
  EXPECT_EQ(after("method: pact", Tag::wt).method, Method::dorefa);
}

TEST(PolicyAttribute, MayNotMakeAnImpossibleQuantizer) {
  EXPECT_EQ(usage_error_of([] { after("method: xnor"); }), "p:3: xnor has 2 levels, not 16");
  EXPECT_EQ(after("bit: 1\nmethod: xnor").method, Method::xnor);
  EXPECT_EQ(usage_error_of([] { after("grad_type: Triangle", Tag::wt); }),
            "p:3: 'grad_type': unknown value 'Triangle'");
  EXPECT_EQ(usage_error_of([] { after("bit: 1\nmethod: xnor\ngrad_type: STE-scale"); }),
            "p:5: xnor has no gradient type STE-scale");
}

class PolicyOption : public testing::Test {
 protected:
  PolicyOption() {
    std::filesystem::create_directories(folder_);
    core::replace_file(folder_ / "mixed.txt", "on init :\nbit: 3\n");
    core::replace_file(
        folder_ / "config.x",
        "dataset=fake\nmodel=resnet20\nkeyword=cbas\noptions='--policy mixed.txt'\n");
  }
  ~PolicyOption() override { std::filesystem::remove_all(folder_); }

  const std::filesystem::path folder_ = std::filesystem::path(testing::TempDir()) / "policy_option";
};

TEST_F(PolicyOption, FindsTheFileBesideTheConfigThatNamesIt) {
  const Configuration configuration = parse_run(folder_ / "config.x", {}, environment_of({}));
  EXPECT_EQ(configuration.options.model.policy.text, "on init :\nbit: 3\n");
}

TEST_F(PolicyOption, NamesTheNearestFileForOneThatIsMissing) {
  const std::string wrong = (folder_ / "mixd.txt").string(),
                    right = (folder_ / "mixed.txt").string();
  EXPECT_EQ(run_error("--dataset fake --keyword cbas --policy " + wrong),
            "command line: option '--policy': there is no file '" + wrong + "'; did you mean '" +
                right + "'?");
  EXPECT_THAT(run("--dataset fake --keyword cbas --dry-run --policy " + wrong).warnings,
              ElementsAre("command line: option '--policy': there is no file '" + wrong + "'"));
}

TEST_F(PolicyOption, ACheckpointNeedsNoFile) {
  const std::string json =
      run("--dataset fake --keyword cbas --policy " + (folder_ / "mixed.txt").string()).to_json();
  std::filesystem::remove_all(folder_);
  const Configuration again = Configuration::from_json(json);
  EXPECT_EQ(again.options.model.policy.text, "on init :\nbit: 3\n");
  EXPECT_EQ(again.to_json(), json);
}

}  // namespace
}  // namespace lowbit::config
