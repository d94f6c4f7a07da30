#include "lowbit/models/summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "lowbit/graph/builder.h"
#include "lowbit/models/factory.h"

namespace lowbit::models {
namespace {

using testing::HasSubstr;

config::ModelOptions quantized_options(int levels) {
  config::ModelOptions options;
  options.input_size = 8;
  options.num_classes = 5;
  options.fm.enable = options.wt.enable = true;
  options.fm.method = options.wt.method = config::Method::lsq;
  options.fm.level = options.wt.level = levels;
  return options;
}

// One layer of each kind: a network whose numbers can be worked out by hand.
graph::Graph one_of_each() {
  graph::Builder b("one-of-each");
  graph::ValueId x = b.input({3, 8, 8});
  x = b.convolution("conv1", x,
                    {.out = 4, .kernel = 3, .padding = 1, .precision = graph::Precision::fixed});
  x = b.convolution("depth", x, {.out = 4, .kernel = 3, .stride = 2, .padding = 1, .groups = 4});
  x = b.batch_norm("norm", x, {});
  x = b.convolution("point", x, {.out = 6});
  x = b.global_average("average", x);
  return b.finish(b.linear("fc", x, {.out = 5, .precision = graph::Precision::fixed}));
}

TEST(Summary, OfASmallNetworkIsWhatOneWorksOutByHand) {
  Network network(quantized_options(4), one_of_each());
  EXPECT_EQ(format_summary(summarize(network)), std::string(R"(
layer  kind       input  output   weight  stride    bits  parameters  mult-adds
conv1  conv       3x8x8   4x8x8  4x3x3x3       1  W32A32         108       6912
depth  depthwise  4x8x8   4x4x4  4x1x3x3       2    W2A2          41        576
point  conv       4x4x4   6x4x4  6x4x1x1       1    W2A2          31        384
fc     linear         6       5      5x6       1  W32A32          35         30

multiply-accumulates of an image
  W2A2                             960   12.15 %
  W32A32                          6942   87.85 %
  all                             7902  100.00 %

parameters
  of the layers above  215
  of norms and others   16
  all                  231
memory: 0.9 kB as float32, 0.7 kB packed (1.3 times smaller)
)")
                                                    .substr(1));
}

TEST(Summary, CountsBitsByTheLevelsThatAQuantizerHasNow) {
  Network ternary(quantized_options(3), one_of_each());
  EXPECT_EQ(summarize(ternary).layers[1].weight_bits, 2);
  ternary.quant_layers()[0].quantizer(config::Tag::wt)->set_level_num(2);
  ternary.quant_layers()[0].quantizer(config::Tag::fm)->set_level_num(5);
  const NetworkSummary summary = summarize(ternary);
  EXPECT_EQ(summary.layers[1].weight_bits, 1);
  EXPECT_EQ(summary.layers[1].activation_bits, 3);
  EXPECT_EQ(summary.multiply_accumulates(), (std::map<std::pair<int64_t, int64_t>, int64_t>{
                                                {{1, 3}, 576}, {{2, 2}, 384}, {{32, 32}, 6942}}));
  // 36 weights of one bit in 5 bytes, 24 of two in 6, the rest as float32.
  EXPECT_EQ(summary.size.packed_bytes, 5 + 6 + 4 * (231 - 36 - 24));
}

TEST(Summary, FitsATerminalOf120Columns) {
  config::ModelOptions options = quantized_options(4);
  options.order = config::BlockOrder::cbas;
  options.num_classes = 1000;
  options.input_size = 224;
  for (const char* name : {"mobilenetv1", "mobilenetv2", "pytorch-resnet50"}) {
    options.name = name;
    options.family = config::family_of(name);
    std::istringstream lines(format_summary(summarize(*make_network(options))));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 120U) << line;
  }
}

// What torchvision's documentation says of its resnet18.
TEST(Summary, OfResNet18HasTheNumbersOfThePublishedNetwork) {
  config::ModelOptions options;
  options.name = "pytorch-resnet18";
  options.family = config::Family::pytorch_resnet;
  const NetworkSummary summary = summarize(*make_network(options));
  int64_t total = 0;
  for (const auto& [bits, cost] : summary.multiply_accumulates()) total += cost;
  EXPECT_EQ(total, 1814073344);
  // 11689512 learned ones and the statistics of 4800 normalized channels.
  EXPECT_EQ(summary.size.parameters, 11689512 + 2 * 4800);
  EXPECT_EQ(summary.layers.front().output, (std::vector<int64_t>{64, 112, 112}));
}

}  // namespace
}  // namespace lowbit::models
