// Codes from integer comparisons: for all values that the sum takes.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "programs.h"

namespace lowbit::runtime {
namespace {

constexpr int kChannels = 37;  // whole vectors and a rest
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// A convolution of one pixel and two channels with the weights 1 and 127: over an image of all
// pairs of bytes its sum takes every integer between the least and the greatest.
struct Layer {
  Layer() : program(256, 256, 2) {
    packed::CodeConvT conv;
    conv.input = 0;
    conv.window = window(1);
    conv.groups = 1;
    auto codes = std::make_unique<packed::CodePlaneT>();
    codes->channels = 2;
    codes->zero_points = {100, 128};
    conv.codes.push_back(std::move(codes));
    auto weights = std::make_unique<packed::WeightPlaneT>();
    weights->bits = 8;
    for (int c = 0; c < kChannels; ++c) weights->data.insert(weights->data.end(), {1, 127});
    conv.weights.push_back(std::move(weights));
    // Rising, falling and constant, steep and flat.
    for (int c = 0; c < kChannels; ++c) {
      const float size = c % 5 == 4 ? 0 : draw.real(1e-5f, 2e-4f);
      conv.coefficients.push_back(c % 2 == 0 ? size : -size);
      conv.bias.push_back(draw.real(-1, 1));
    }
    last = program.add(std::move(conv), {256, 256, kChannels});
    image.resize(program.shape(0).count());
    for (size_t i = 0; i < image.size(); ++i)
      image[i] = static_cast<uint8_t>(i % 2 == 0 ? i / 2 % 256 : i / 2 / 256);
  }

  void affine() {
    std::vector<float> factor = draw.reals(kChannels);
    factor[3] = 0;
    factor[4] = -0.0f;
    last = add_affine(program, last, factor, draw.reals(kChannels));
  }

  void activation(packed::Function function, std::vector<float> slope = {}) {
    packed::ActivationT activation;
    activation.input = last;
    activation.function = function;
    activation.low = -0.75f;
    activation.high = 1.25f;
    activation.slope = std::move(slope);
    last = program.add(std::move(activation), program.shape(last));
  }

  // Whether the planned network compares sums; its codes are compared with the plain ones.
  bool compares(std::vector<float> thresholds, int groups = 1) {
    const int codes = add_quantize(program, last, groups, std::move(thresholds));
    packed::DequantizeT dequantize;
    dequantize.input = codes;
    dequantize.groups = 1;
    for (int i = 0; i < program.value(codes).levels; ++i)
      dequantize.levels.push_back(static_cast<float>(i));
    // Codes that something else reads, too, stand in memory.
    const int padded = add_code_conv(program, draw, codes, 1, 1, 1, 0, 1);
    add_mean(program, padded);
    const Program::File file = program.file();
    const Network network(open_sealed(file.span()));
    const auto plain = values_of(network, Plan(network, instruction_set("reference")), 1, image);
    const auto number = static_cast<size_t>(codes);
    const auto [least, most] = std::ranges::minmax_element(plain[number]);
    EXPECT_LT(*least, *most) << "the layer does nothing";
    std::optional<bool> compared;
    for (const InstructionSet& isa : isas()) {
      const Plan plan(network, isa);
      EXPECT_EQ(values_of(network, plan, 1, image)[number], plain[number]) << isa.name;
      compared = plan.groups().front().chain->compares_sums();
      follows_lines = plan.groups().front().chain->follows_lines();
    }
    return compared.value();
  }

  Draw draw{5};
  Program program;
  int last = 0;
  bool follows_lines = false;  // the planned network
  std::vector<uint8_t> image;
};

std::vector<float> even(size_t count, float first, float step) {
  std::vector<float> thresholds;
  for (size_t i = 0; i < count; ++i) thresholds.push_back(first + static_cast<float>(i) * step);
  return thresholds;
}

TEST(ComparedSums, GiveTheCodesOfTheFloatFunctionForEachSum) {
  for (const size_t thresholds : {1, 2, 3, 7, 15}) {
    SCOPED_TRACE(thresholds);
    Layer layer;
    layer.affine();
    EXPECT_TRUE(layer.compares(layer.draw.ascending(thresholds)));
  }
}

TEST(ComparedSums, GiveThemBehindEachMonotoneFunction) {
  for (const auto function :
       {packed::Function::relu, packed::Function::clamp, packed::Function::leaky}) {
    SCOPED_TRACE(EnumNameFunction(function));
    Layer layer;
    layer.affine();
    layer.activation(function, layer.draw.reals(kChannels, 0, 1));
    EXPECT_TRUE(layer.compares({-0.75f, 0, 0.5f}));
  }
}

TEST(ComparedSums, GiveThemForThresholdsThatAreEqualOrInfinite) {
  Layer layer;
  EXPECT_TRUE(layer.compares({-kInfinity, -0.5f, -0.5f, 0, 1, 1, kInfinity}));
}

TEST(ComparedSums, GiveThemForThresholdsOfEachChannel) {
  Layer layer;
  layer.affine();
  std::vector<float> thresholds;
  for (int c = 0; c < kChannels; ++c)
    for (const float x : layer.draw.ascending(3)) thresholds.push_back(x);
  EXPECT_TRUE(layer.compares(thresholds, kChannels));
}

TEST(ComparedSums, FollowALineForEachChannelWhereThresholdsLieEvenly) {
  for (const size_t thresholds : {3, 7, 15}) {
    SCOPED_TRACE(thresholds);
    const float step = 4 / static_cast<float>(thresholds);
    Layer layer;  // of its flat channels some thresholds are out of reach
    layer.affine();
    EXPECT_TRUE(layer.compares(even(thresholds, -1.75f, step)));
    EXPECT_TRUE(layer.follows_lines);

    Layer each;
    std::vector<float> of_channels;
    for (int c = 0; c < kChannels; ++c) {
      const float own_step = step * each.draw.real(0.01f, 1);
      for (const float x : even(thresholds, each.draw.real(-1, 0), own_step))
        of_channels.push_back(x);
    }
    EXPECT_TRUE(each.compares(of_channels, kChannels));
    EXPECT_TRUE(each.follows_lines);
  }
}

TEST(ComparedSums, FollowNoLineWhereThresholdsOfAChannelLieUnevenly) {
  Layer all;
  EXPECT_TRUE(all.compares({-1, -0.9f, -0.5f, 0, 0.75f}));
  EXPECT_FALSE(all.follows_lines);
  Layer one;
  std::vector<float> thresholds;
  for (int c = 0; c < kChannels; ++c)
    for (float x : even(7, -1, 0.25f)) thresholds.push_back(c == 20 && x == 0 ? -0.125f : x);
  EXPECT_TRUE(one.compares(thresholds, kChannels));
  EXPECT_FALSE(one.follows_lines);
}

TEST(ComparedSums, AreNotUsedForFunctionsThatRiseAndFall) {
  Layer absolute;
  absolute.activation(packed::Function::absolute);
  EXPECT_FALSE(absolute.compares({0.25f, 0.5f, 1}));
  Layer bent;
  bent.activation(packed::Function::leaky, {-0.5f});
  EXPECT_FALSE(bent.compares({0.25f, 0.5f, 1}));
}

TEST(ComparedSums, AreNotUsedWhereNumbersGrowBeyondFloats) {
  Layer layer;
  layer.last = add_affine(layer.program, layer.last, {1e38f}, {});
  layer.last = add_affine(layer.program, layer.last, {0}, {1});  // of infinity NaN
  EXPECT_FALSE(layer.compares({0.5f}));
}

// Codes by hundreds of thresholds for about the numbers 0 .. 255 and, of the second channel, 0,
// infinite ones and NaN.
void expect_codes_of_plain_loops(const std::vector<float>& thresholds) {
  Program program(16, 16, 2);
  packed::NormalizeT normalize;
  normalize.input = 0;
  normalize.mean = {0, 0};
  normalize.std = {1 / 255.0f, 1e-38f};
  int last = program.add(std::move(normalize), program.shape(0));
  const int finite = add_quantize(program, last, 1, thresholds);
  last = add_affine(program, last, {0.5f, 1e38f}, {});
  std::vector<float> of_groups = thresholds;
  of_groups.insert(of_groups.end(), thresholds.begin(), thresholds.end());
  const int infinite = add_quantize(program, last, 2, of_groups);
  last = add_affine(program, last, {1, 0}, {});
  const int none = add_quantize(program, last, 1, thresholds);
  add_mean(program, last);
  const Program::File file = program.file();
  const Network network(open_sealed(file.span()));
  std::vector<uint8_t> image(program.shape(0).count());
  for (size_t i = 0; i < image.size(); ++i) image[i] = static_cast<uint8_t>(i / 2);
  const auto plain = values_of(network, Plan(network, instruction_set("reference")), 1, image);
  for (const InstructionSet& isa : isas()) {
    const auto planned = values_of(network, Plan(network, isa), 1, image);
    for (const int codes : {finite, infinite, none})
      EXPECT_EQ(planned[static_cast<size_t>(codes)], plain[static_cast<size_t>(codes)])
          << isa.name << ", value " << codes;
  }
}

TEST(ManyThresholds, GiveTheCodesOfThePlainLoopsFromEvenOnesToEqualOnes) {
  const std::vector<float> evenly = even(255, 1, 0.75f);
  std::vector<float> uneven = Draw(1).ascending(100, -5, 300);
  std::vector<float> equal = evenly, infinite = evenly;
  equal[7] = equal[8];
  infinite.front() = -kInfinity;
  for (const auto& thresholds : {evenly, uneven, equal, infinite})
    expect_codes_of_plain_loops(thresholds);
}

}  // namespace
}  // namespace lowbit::runtime
