#include "lowbit/run/run_tables.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "lowbit/core/error.h"
#include "support/random_values.h"

namespace lowbit::run {
namespace fs = std::filesystem;
namespace {

using test_support::same_number;

class RunTables : public testing::Test {
 protected:
  ~RunTables() override { fs::remove(file_); }

  fs::path file_ = fs::path(testing::TempDir()) / ("table." + std::to_string(::getpid()) + ".csv");
  test_support::RandomValues random_{6};
};

TEST_F(RunTables, AnyMetricsComeBack) {
  truncate_metrics(file_, 0);
  std::vector<EpochMetrics> written;
  for (int epoch = 0; epoch < 200; ++epoch) {
    EpochMetrics metrics;
    metrics.epoch = epoch;
    for (double* number : {&metrics.learning_rate, &metrics.training.loss, &metrics.training.top1,
                           &metrics.best_top1, &metrics.images_per_second, &metrics.loss_scale})
      *number = random_.real();
    if (epoch % 2 == 0)
      metrics.validation = Accuracy{random_.real(), random_.real(), random_.real(), 0};
    append_metrics(file_, metrics);
    written.push_back(metrics);
  }
  const std::vector<EpochMetrics> read = read_metrics(file_);
  ASSERT_EQ(read.size(), written.size());
  for (size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].epoch, written[i].epoch);
    EXPECT_TRUE(same_number(read[i].learning_rate, written[i].learning_rate));
    EXPECT_TRUE(same_number(read[i].training.loss, written[i].training.loss));
    EXPECT_TRUE(same_number(read[i].best_top1, written[i].best_top1));
    EXPECT_TRUE(same_number(read[i].loss_scale, written[i].loss_scale));
    ASSERT_EQ(read[i].validation.has_value(), written[i].validation.has_value());
    if (read[i].validation) {
      EXPECT_TRUE(same_number(read[i].validation->top5, written[i].validation->top5));
    }
  }
}

TEST_F(RunTables, AnyLayersComeBackOrAreRefused) {
  truncate_layers(file_, 0);
  std::vector<models::QuantizerStatistics> written;
  for (int i = 0; i < 300; ++i) {
    models::QuantizerStatistics layer;
    layer.layer = random_.text();
    layer.levels = random_.integer();
    layer.mse = random_.real();
    layer.codes = {1, random_.integer()};
    const bool fits = layer.layer.find_first_of(",\"\r\n") == std::string::npos;
    if (fits) {
      append_layers(file_, i, {layer});
      written.push_back(layer);
    } else {
      EXPECT_THROW(append_layers(file_, i, {layer}), core::Error);
    }
  }
  const std::vector<LayerRow> read = read_layers(file_);
  ASSERT_EQ(read.size(), written.size());
  EXPECT_GT(read.size(), 100u);
  for (size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].statistics.layer, written[i].layer);
    EXPECT_EQ(read[i].statistics.levels, written[i].levels);
    EXPECT_EQ(read[i].statistics.codes, written[i].codes);
    EXPECT_TRUE(same_number(read[i].statistics.mse, written[i].mse));
  }
}

}  // namespace
}  // namespace lowbit::run
