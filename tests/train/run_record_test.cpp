#include "lowbit/run/run_record.h"

#include <gmock/gmock.h>
#include <spdlog/sinks/ostream_sink.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "lowbit/core/files.h"
#include "lowbit/core/log.h"
#include "trainer_fixture.h"

namespace lowbit::train {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class RunRecordTest : public TrainerTest {
 protected:
  fs::path of(const std::string& name, const char* file) const {
    return folder_ / "exp" / "resnet20" / name / file;
  }
  // Lines as lists of their columns.
  std::vector<std::vector<std::string>> table(const fs::path& path) const {
    std::vector<std::vector<std::string>> rows;
    std::istringstream file(core::read_file(path));
    for (std::string line; std::getline(file, line);) {
      rows.emplace_back();
      std::istringstream columns(line);
      for (std::string column; std::getline(columns, column, ',');) rows.back().push_back(column);
    }
    return rows;
  }
  std::vector<std::string> column(const fs::path& path, size_t index) const {
    std::vector<std::string> result;
    for (const auto& row : table(path)) result.push_back(row.at(index));
    return result;
  }
};

TEST_F(RunRecordTest, HasARowForEveryEpochWithWhatTheRunReported) {
  const run::RunResult result = run("rows", {"--epochs", "3"});
  const auto rows = table(of("rows", "metrics.csv"));
  ASSERT_EQ(rows.size(), 4);
  EXPECT_THAT(rows[0],
              ElementsAre("epoch", "lr", "train_loss", "train_top1", "val_loss", "val_top1",
                          "val_top5", "best_top1", "images_per_second", "loss_scale", "seconds"));
  EXPECT_EQ(rows[3][0], "2");
  EXPECT_EQ(std::stod(rows[3][1]), 0.05);
  EXPECT_EQ(std::stod(rows[3][4]), result.last->loss);
  EXPECT_EQ(std::stod(rows[3][5]), result.last->top1);
  EXPECT_EQ(std::stod(rows[3][7]), result.best_top1);
  EXPECT_GT(std::stod(rows[3][10]), 0);
}

TEST_F(RunRecordTest, HasARowForEveryQuantizerAndEpoch) {
  run("layers", {"--epochs", "2"});
  const auto rows = table(of("layers", "layers.csv"));
  const size_t quantizers = (rows.size() - 1) / 2;
  EXPECT_EQ(rows.size(), 1 + 2 * quantizers);
  EXPECT_GE(quantizers, 36);  // two for each of the 18 convolutions in blocks
  for (size_t i = 1; i < rows.size(); ++i) EXPECT_EQ(rows[i].size(), rows[0].size());
  EXPECT_EQ(rows[1][0], "0");
  EXPECT_EQ(rows[1][1], "layer1.0.conv1.0");
  EXPECT_EQ(rows.back()[0], "1");
}

TEST_F(RunRecordTest, WithoutValidationItsColumnsAreEmpty) {
  run("blind", {"--epochs", "1", "-v", "0"});
  const auto rows = table(of("blind", "metrics.csv"));
  ASSERT_EQ(rows.size(), 2);
  EXPECT_EQ(rows[1][4] + rows[1][5] + rows[1][6], "");
  EXPECT_GT(table(of("blind", "layers.csv")).size(), 1);
}

TEST_F(RunRecordTest, OfAResumedRunIsThatOfOneNeverStopped) {
  run("whole");
  run("parts", {"--epochs", "2"});
  run("parts", {"--resume"});
  EXPECT_THAT(column(of("parts", "metrics.csv"), 0), ElementsAre("epoch", "0", "1", "2", "3"));
  for (size_t i : {2, 4, 5}) {
    EXPECT_EQ(column(of("parts", "metrics.csv"), i), column(of("whole", "metrics.csv"), i));
  }
  EXPECT_EQ(core::read_file(of("parts", "layers.csv")), core::read_file(of("whole", "layers.csv")));
}

TEST_F(RunRecordTest, OfANewRunInAnOldFolderBeginsAnew) {
  run("again", {"--epochs", "3"});
  run("again", {"--epochs", "1"});
  EXPECT_EQ(table(of("again", "metrics.csv")).size(), 2);
}

TEST_F(RunRecordTest, RowsBehindThePositionAndHalfALineAreDropped) {
  const fs::path csv = folder_ / "some.csv";
  core::replace_file(csv, "epoch,a\n0,x\n1,y\n2,z\n10,q\n1,h");
  run::truncate_to_epoch(csv, "epoch,a", 2);
  EXPECT_EQ(core::read_file(csv), "epoch,a\n0,x\n1,y\n");
  run::truncate_to_epoch(csv, "epoch,b", 2);
  EXPECT_EQ(core::read_file(csv), "epoch,b\n") << "columns of another version";
  run::truncate_to_epoch(folder_ / "new.csv", "epoch,a", 0);
  EXPECT_EQ(core::read_file(folder_ / "new.csv"), "epoch,a\n");
}

TEST_F(RunRecordTest, ItsConfigRunsAgainToTheSameOptions) {
  const config::Configuration first = configuration("config", {"--epochs", "1"});
  run("config", {"--epochs", "1"});
  const config::Configuration second =
      config::parse_run(of("config", "config"), std::vector<std::string>{});
  EXPECT_EQ(second.options, first.options);
}

TEST_F(RunRecordTest, SaysWhereTheCheckpointLiesAndHowTheStartWas) {
  run("start", {"--epochs", "1"});
  const run::RunResult result =
      run("next", {"--epochs", "1", "--pretrained", checkpoint("start").string()});
  const auto json = nlohmann::json::parse(core::read_file(of("next", "run.json")));
  EXPECT_EQ(json.at("checkpoint"), checkpoint("next").string());
  ASSERT_TRUE(result.full_precision_start);
  EXPECT_EQ(json.at("full_precision_start").at("top1"), result.full_precision_start->top1);
  run("next", {"--epochs", "2", "--resume"});
  const auto resumed = nlohmann::json::parse(core::read_file(of("next", "run.json")));
  EXPECT_EQ(resumed.at("full_precision_start"), json.at("full_precision_start"));
}

TEST_F(RunRecordTest, MeasuringTheLayersDoesNotChangeTheRun) {
  run("quiet", {"--epochs", "2", "--stable", "4"});
  run("loud", {"--epochs", "2", "--stable", "4", "--verbose", "--tensorboard"});
  expect_same_bits(saved("quiet"), saved("loud"));
}

TEST_F(RunRecordTest, TensorBoardFilesAreWrittenOnRequestAlone) {
  const auto events = [&](const std::string& name) {
    return std::ranges::count_if(fs::directory_iterator(of(name, "")), [](const auto& entry) {
      return entry.path().filename().string().starts_with("events.out.tfevents.");
    });
  };
  run("plain", {"--epochs", "1"});
  EXPECT_EQ(events("plain"), 0);
  run("board", {"--epochs", "1", "--tensorboard"});
  ASSERT_EQ(events("board"), 1);
  std::string content;
  for (const auto& entry : fs::directory_iterator(of("board", "")))
    if (entry.path().filename().string().starts_with("events."))
      content = core::read_file(entry.path());
  for (const char* tag : {"loss/train", "loss/validation", "accuracy/top1", "learning_rate",
                          "images_per_second", "loss_scale", "clip/layer1.0.conv1.0.fm",
                          "error/layer1.0.conv1.0.wt", "codes/layer1.0.conv1.0.wt"})
    EXPECT_THAT(content, HasSubstr(tag));
}

TEST_F(RunRecordTest, VerboseLogsEveryQuantizerAtTheStartAndAfterEachEpoch) {
  std::ostringstream text;
  auto sink = std::make_shared<spdlog::sinks::ostream_sink_st>(text);
  const auto level = core::log().level();
  core::log().set_level(spdlog::level::debug);
  core::log().sinks().push_back(sink);
  const auto lines = [&](std::vector<std::string> more) {
    text.str("");
    run("verbose", std::move(more));
    const std::string all = text.str();
    int count = 0;
    for (size_t at = 0; (at = all.find("layer1.0.conv1.0 fm: 4 levels, clip ", at)) != all.npos;
         ++at)
      ++count;
    return count;
  };
  EXPECT_EQ(lines({"--epochs", "2", "--verbose"}), 3);
  EXPECT_EQ(lines({"--epochs", "2"}), 0);
  core::log().sinks().pop_back();
  core::log().set_level(level);
}

}  // namespace
}  // namespace lowbit::train
