// The report on runs that are made up, and on small ones that were trained.
#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <string>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/core/printable.h"
#include "lowbit/core/unicode.h"
#include "lowbit/report/charts.h"
#include "lowbit/report/findings.h"
#include "lowbit/report/markup.h"
#include "lowbit/report/page.h"
#include "support/random_values.h"
#include "train/trainer_fixture.h"

namespace lowbit::report {
namespace fs = std::filesystem;
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

models::QuantizerStatistics healthy(const std::string& layer, config::Tag tag) {
  models::QuantizerStatistics s;
  s.layer = layer;
  s.tag = tag;
  s.bits = 2;
  s.levels = 4;
  s.groups = 1;
  s.values = 100;
  s.input_min = tag == config::Tag::wt ? -1.5 : 0;
  s.input_max = 1.5;
  s.clip_min = s.clip_mean = s.clip_max = 1.25;
  s.range_low = tag == config::Tag::wt ? -1.25 : 0;
  s.range_high = 1.25;
  s.clipped_high = 0.03;
  s.codes = {40, 30, 20, 10};
  s.mse = 0.01;
  s.relative_error = 0.1;
  return s;
}

// Three epochs; the first layer is broken in several ways by the tests.
RunData made_up() {
  RunData run;
  run.name = "resnet20/<b>&\"it's\"";
  run.folder = "exp/resnet20/x";
  run.settings = {{"--lr", "0.1"}, {"--epochs", "3"}, {"--case", "<script>alert(1)</script>"}};
  run.full_precision_top1 = 71.5;
  for (int epoch = 0; epoch < 3; ++epoch) {
    run.epochs.push_back({epoch,
                          0.1 / (epoch + 1),
                          {2.0 - epoch, 40.0 + epoch, 0, 0},
                          run::Accuracy{1.5 - 0.25 * epoch, 68.25 + epoch, 90, 100},
                          68.25 + epoch,
                          1000,
                          1,
                          2});
    for (const config::Tag tag : {config::Tag::fm, config::Tag::wt})
      for (const char* layer : {"layer1.0.conv1", "layer1.0.conv2", "layer1.1.conv1"})
        run.layers.push_back({epoch, healthy(layer, tag)});
  }
  return run;
}

models::QuantizerStatistics& last(RunData& run) {
  return run.layers.back().statistics;
}

int count(const std::string& text, const std::string& what) {
  int found = 0;
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += what.size()) ++found;
  return found;
}

TEST(Markup, AnyTextBecomesTextOfHtml) {
  test_support::RandomValues random(7);
  for (int i = 0; i < 5000; ++i) {
    const std::string text = random.text();
    std::string html = escaped(text);
    ASSERT_TRUE(core::is_utf8(html)) << html;
    ASSERT_EQ(html.find_first_of(std::string("<>\"'\0\x1b", 6)), html.npos) << html;
    for (const auto& [entity, character] :
         {std::pair{"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&#39;", "'"}, {"&amp;", "&"}})
      for (size_t at = 0; (at = html.find(entity, at)) != html.npos; ++at)
        html.replace(at, std::string_view(entity).size(), character);
    ASSERT_EQ(html, core::printable_lines(text));
  }
}

TEST(Findings, SayThatARunIsNoBetterThanGuessing) {
  const auto says = [](int classes, double top1) {
    RunData run = made_up();
    run.full_precision_top1 = kNaN;
    run.settings["--num_classes"] = std::to_string(classes);
    run.epochs.back().validation->top1 = run.epochs.back().best_top1 = top1;
    for (const Finding& finding : findings(run))
      if (finding.what.find("guessing") != std::string::npos) return true;
    return false;
  };
  EXPECT_TRUE(says(100, 0.98));
  EXPECT_TRUE(says(100, 1.4));
  EXPECT_FALSE(says(100, 2));
  EXPECT_TRUE(says(2, 54));
  EXPECT_FALSE(says(2, 70));
  EXPECT_TRUE(says(10, 10));
  EXPECT_FALSE(says(1, 100));
}

TEST(Findings, SayThatTheTrainingLossDidNotFall) {
  RunData run = made_up();
  for (const Finding& finding : findings(run))
    EXPECT_THAT(finding.what, Not(HasSubstr("training loss"))) << "it fell from 2 to 0";
  run.epochs.back().training.loss = 120;
  run.epochs.back().training.samples = 1;
  EXPECT_THAT(findings(run), testing::Contains(testing::Field(
                                 &Finding::what, HasSubstr("the training loss did not fall"))));
}

TEST(Markup, EscapesWhatHtmlWouldRead) {
  EXPECT_EQ(escaped("<a href=\"x\">R&D's"), "&lt;a href=&quot;x&quot;&gt;R&amp;D&#39;s");
}

// RFC 4648, section 10.
TEST(Markup, Base64IsThatOfTheStandard) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xff\xfe\xfd"), "//79");
}

TEST(Markup, APictureIsAPngOfItsSize) {
  const uint8_t pixels[] = {255, 0, 0, 0, 255, 0};
  const std::string uri = png_data_uri(pixels, 2, 1);
  // Signature, then the header chunk: width 2, height 1.
  EXPECT_TRUE(uri.starts_with("data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAIAAAAB"));
}

TEST(Charts, ACurveHasAGapWhereThereIsNoNumber) {
  const Chart chart{.title = "t", .series = {{"a", 0, false, {{0, 1}, {1, 2}, {2, kNaN}, {3, 4}}}}};
  const std::string svg = line_chart(chart);
  EXPECT_EQ(count(svg, "<polyline"), 1);
  EXPECT_EQ(count(svg, "<circle"), 1) << "a single point is a dot";
  EXPECT_THAT(svg, HasSubstr("[2.0,null]"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(Charts, ConstantsAndNothingAreDrawnWithoutNaN) {
  EXPECT_THAT(line_chart({.title = "t"}), Not(HasSubstr("nan")));
  const std::string flat = line_chart({.title = "t", .series = {{"a", 0, false, {{0, 5}}}}});
  EXPECT_THAT(flat, Not(HasSubstr("nan")));
  EXPECT_THAT(flat, Not(HasSubstr("inf")));
  EXPECT_EQ(code_bars({}), "");
}

TEST(Charts, DeadCodesAreMarked) {
  const std::string svg = code_bars({5, 0, 15, 0});
  EXPECT_EQ(count(svg, "class=\"dead\""), 2);
  EXPECT_EQ(count(svg, "class=\"code\""), 2);
  EXPECT_THAT(svg, HasSubstr("code 0: 25.0 %, 1: 0.00 %, 2: 75.0 %"));
}

TEST(Findings, OfAHealthyRunAreNone) {
  EXPECT_TRUE(findings(made_up()).empty());
}

TEST(Findings, NameTheLayerAndWhatIsWrongTheWorstFirst) {
  RunData run = made_up();
  last(run).codes = {100, 0, 0, 0};
  last(run).relative_error = 0.4;
  run.layers[run.layers.size() - 5].statistics.codes.clear();
  run.layers[run.layers.size() - 3].statistics.clipped_high = 0.25;
  run.layers[run.layers.size() - 4].statistics.range_high = 15;
  run.full_precision_top1 = 80;
  const std::vector<Finding> found = findings(run);
  ASSERT_EQ(found.size(), 6);
  EXPECT_EQ(found[0].severity, Severity::broken);
  EXPECT_EQ(found[0].where, "layer1.0.conv2 fm");
  EXPECT_EQ(found[1].where, "the run");
  EXPECT_THAT(found[1].what, HasSubstr("9.75 points below its full-precision start"));
  EXPECT_EQ(found[2].where, "layer1.1.conv1 wt");
  EXPECT_EQ(found[2].what, "3 of 4 codes never occur");
  EXPECT_THAT(found[3].what, HasSubstr("quantization error 40.0 %"));
  EXPECT_EQ(found[4].where, "layer1.1.conv1 fm");
  EXPECT_THAT(found[4].what, HasSubstr("10.0 times as wide"));
  EXPECT_EQ(found[5].where, "layer1.0.conv1 wt");
  EXPECT_THAT(found[5].what, HasSubstr("25.0 %"));
}

TEST(Findings, AClipValueThatIsNotPositiveAndALossThatIsNotFiniteAreBroken) {
  RunData run = made_up();
  last(run).clip_min = -0.5;
  run.epochs.back().training.loss = kNaN;
  const std::vector<Finding> found = findings(run);
  ASSERT_EQ(found.size(), 2);
  EXPECT_EQ(found[0].severity, Severity::broken);
  EXPECT_EQ(found[1].severity, Severity::broken);
  EXPECT_THAT(found[1].what, HasSubstr("-0.5"));
}

TEST(Page, HasTheNumbersOfTheRun) {
  const std::string html = page({{made_up(), {}}});
  EXPECT_THAT(html, HasSubstr("70.25 %"));
  EXPECT_THAT(html, HasSubstr("71.50 %"));
  EXPECT_THAT(html, HasSubstr("-1.25 points"));
  EXPECT_THAT(html, HasSubstr("70.25 % in epoch 2"));
  EXPECT_THAT(html, HasSubstr("3 of 3"));
  EXPECT_EQ(count(html, "<figure class=\"chart\">"), 4);
  EXPECT_EQ(count(html, "<td class=\"where\">"), 6) << "a row for each quantizer";
  EXPECT_THAT(html, HasSubstr("input 0 to 1.5, clip range 0 to 1.25"));
  EXPECT_THAT(html, HasSubstr("code 0: 40.0 %, 1: 30.0 %, 2: 20.0 %, 3: 10.0 %"));
  EXPECT_THAT(html, HasSubstr("Nothing stands out"));
}

TEST(Page, EscapesEverythingThatComesFromARun) {
  RunData run = made_up();
  last(run).layer = "layer<i>";
  Flips flips;
  flips.examples = {{3, "cat<u>", "dog<u>", "data:image/png;base64,"}};
  flips.lost_by_class["cat<u>"] = 1;
  const std::string html = page({{run, flips}, {made_up(), {.missing = "no <file>"}}});
  for (const char* raw : {"<b>&", "<script>alert", "layer<i>", "cat<u>", "dog<u>", "no <file>"})
    EXPECT_THAT(html, Not(HasSubstr(raw)));
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(1)&lt;/script&gt;"));
  EXPECT_THAT(html, HasSubstr("layer&lt;i&gt;"));
}

TEST(Page, NeedsNothingFromElsewhere) {
  const std::string html = page({{made_up(), {}}});
  for (const char* outside : {"http:", "https:", "src=\"/", "<link", "@import", "url("})
    EXPECT_THAT(html, Not(HasSubstr(outside)));
  EXPECT_THAT(html, HasSubstr("prefers-color-scheme: dark"));
}

TEST(Page, OfSeveralRunsShowsTheOptionsThatDiffer) {
  RunData a = made_up(), b = made_up();
  a.name = "one";
  b.name = "two";
  b.settings["--lr"] = "0.2";
  const std::string html = page({{a, {}}, {b, {}}});
  const size_t begin = html.find("Options that differ"), end = html.find("</table>", begin);
  const std::string table = html.substr(begin, end - begin);
  EXPECT_THAT(table, HasSubstr("<code>--lr</code></td><td class=\"wide\">0.1</td>"
                               "<td class=\"wide\">0.2</td>"));
  EXPECT_THAT(table, Not(HasSubstr("--epochs")));
  EXPECT_THAT(html, HasSubstr("one validation"));
  EXPECT_THAT(html, HasSubstr("two validation"));
}

TEST(Page, OfARunWithoutAnEpochOrQuantizerIsStillOne) {
  RunData empty;
  empty.name = "new";
  const std::string html = page({{empty, {}}});
  EXPECT_THAT(html, HasSubstr("no epoch is done yet"));
  EXPECT_THAT(html, HasSubstr("The run quantizes nothing."));
  EXPECT_THAT(html, Not(HasSubstr("nan")));
}

class TrainedRuns : public train::TrainerTest {
 protected:
  std::string error_of(const fs::path& path) const {
    try {
      read_runs(path);
    } catch (const core::Error& error) {
      return error.what();
    }
    return "";
  }
  fs::path exp() const { return folder_ / "exp"; }
};

TEST_F(TrainedRuns, AreReadAsTheyWereWritten) {
  const run::RunResult result = run("start", {"--epochs", "2"});
  run("next", {"--epochs", "1", "--pretrained", checkpoint("start").string()});
  const std::vector<RunData> all = read_runs(exp());
  ASSERT_EQ(all.size(), 2);
  EXPECT_EQ(all[0].name, "resnet20/next");
  EXPECT_EQ(all[1].name, "resnet20/start");
  const RunData start = all[1];
  EXPECT_EQ(read_runs(exp() / "resnet20/start")[0].name, start.name);
  EXPECT_EQ(read_runs(checkpoint("start"))[0].name, start.name);
  ASSERT_EQ(start.epochs.size(), 2);
  EXPECT_EQ(start.epochs[1].validation->top1, result.last->top1);
  EXPECT_EQ(start.epochs[1].validation->loss, result.last->loss);
  EXPECT_EQ(start.layers.size() % 2, 0);
  EXPECT_EQ(start.last_layers().size(), start.layers.size() / 2);
  EXPECT_EQ(start.setting("--lr"), "0.05");
  EXPECT_TRUE(std::isnan(start.full_precision_top1));
}

TEST_F(TrainedRuns, FlipsCountTheImagesThatBothNetworksGetRight) {
  run("start", {"--epochs", "3"});
  const run::RunResult result =
      run("next", {"--epochs", "1", "--lr", "0", "--pretrained", checkpoint("start").string()});
  const Flips flips = find_flips(read_runs(exp() / "resnet20/next")[0], {}, 5);
  ASSERT_EQ(flips.missing, "");
  EXPECT_EQ(flips.both_right + flips.lost + flips.gained + flips.both_wrong, 40);
  ASSERT_TRUE(result.full_precision_start);
  const double before = result.full_precision_start->top1, after = result.last->top1;
  EXPECT_EQ(100.0 * static_cast<double>(flips.both_right + flips.lost) / 40, before);
  EXPECT_EQ(100.0 * static_cast<double>(flips.both_right + flips.gained) / 40, after);
  EXPECT_EQ(flips.examples.size(), static_cast<size_t>(std::min<int64_t>(5, flips.lost)));
  for (const Flip& flip : flips.examples) {
    EXPECT_NE(flip.label, flip.predicted);
    EXPECT_TRUE(flip.picture.starts_with("data:image/png;base64,"));
  }
}

TEST_F(TrainedRuns, WithoutAStartThereIsAReasonInsteadOfFlips) {
  run("alone", {"--epochs", "1"});
  EXPECT_THAT(find_flips(read_runs(exp() / "resnet20/alone")[0], {}, 5).missing,
              HasSubstr("--pretrained"));
}

TEST_F(TrainedRuns, WeightsThatAreGoneAreTheReason) {
  run("start", {"--epochs", "1"});
  run("next", {"--epochs", "1", "--pretrained", checkpoint("start").string()});
  fs::remove(checkpoint("start"));
  EXPECT_THAT(find_flips(read_runs(exp() / "resnet20/next")[0], {}, 5).missing,
              HasSubstr("start-checkpoint.pth.tar"));
}

TEST_F(TrainedRuns, WhatIsNoRunIsAnErrorThatNamesIt) {
  run("good", {"--epochs", "1"});
  EXPECT_THAT(error_of(exp() / "resnet20/goood"), HasSubstr("did you mean 'good'"));
  fs::create_directories(folder_ / "empty");
  EXPECT_THAT(error_of(folder_ / "empty"), HasSubstr("no run in the folder"));
  EXPECT_THAT(error_of(folder_ / "train-labels-idx1-ubyte"), HasSubstr("train-labels"));
  const fs::path metrics = exp() / "resnet20/good/metrics.csv";
  const std::string before = core::read_file(metrics);
  core::replace_file(metrics, before + "1,2,3\n");
  EXPECT_THAT(error_of(exp() / "resnet20/good"), HasSubstr("metrics.csv:3: 3 columns"));
  core::replace_file(metrics, before + "1,half a line");
  EXPECT_EQ(read_runs(exp() / "resnet20/good")[0].epochs.size(), 1);
  core::replace_file(exp() / "resnet20/good/run.json", "{");
  EXPECT_THAT(error_of(exp() / "resnet20/good"), HasSubstr("run.json"));
}

}  // namespace
}  // namespace lowbit::report
