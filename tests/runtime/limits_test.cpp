// The sizes that check.h allows: a program of each runs with every instruction set, and one beyond
// is an error that names the step.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lowbit/core/error.h"
#include "programs.h"

namespace lowbit::runtime {
namespace {

using testing::HasSubstr;

std::string fault_of(const Program& program) {
  const Program::File file = program.file();
  try {
    check(open_sealed(file.span()), {});
  } catch (const core::Error& error) {
    return error.what();
  }
  return "";
}

int add_dequantize(Program& program, int input) {
  packed::DequantizeT step;
  step.input = input;
  step.groups = 1;
  for (int level = 0; level < program.value(input).levels; ++level)
    step.levels.push_back(static_cast<float>(level));
  return program.add(std::move(step), program.shape(input));
}

int add_rearrange(Program& program, int input, packed::Layout layout, Shape out, int number = 0) {
  packed::RearrangeT step;
  step.input = input;
  step.layout = layout;
  (layout == packed::Layout::slice ? step.first : step.cell) = number;
  return program.add(std::move(step), out, program.value(input).levels);
}

int add_pool(Program& program, int input, int kernel, int stride) {
  const Shape in = program.shape(input);
  packed::PoolT step;
  step.input = input;
  step.window = window(kernel, stride);
  return program.add(
      std::move(step),
      {(in.height - kernel) / stride + 1, (in.width - kernel) / stride + 1, in.channels},
      program.value(input).levels);
}

// A convolution of bytes; weights of one integer each, planes of 1.
int add_conv(Program& program, int input, int out, int kernel = 1, int planes_of_codes = 1,
             int planes_of_weights = 1, int weight = 1) {
  const Shape in = program.shape(input);
  packed::CodeConvT conv;
  conv.input = input;
  conv.window = window(kernel);
  conv.groups = 1;
  for (int i = 0; i < planes_of_codes; ++i) {
    auto plane = std::make_unique<packed::CodePlaneT>();
    plane->channels = in.channels;
    plane->zero_points.assign(static_cast<size_t>(in.channels), static_cast<uint8_t>(i));
    conv.codes.push_back(std::move(plane));
  }
  for (int i = 0; i < planes_of_weights; ++i) {
    auto plane = std::make_unique<packed::WeightPlaneT>();
    if (weight != 1) {
      plane->bits = 8;
      plane->data.assign(static_cast<size_t>(out * kernel * kernel * in.channels),
                         static_cast<uint8_t>(weight));
    }
    conv.weights.push_back(std::move(plane));
  }
  conv.coefficients.assign(static_cast<size_t>(planes_of_codes * planes_of_weights * out), 0.001f);
  return program.add(std::move(conv), {in.height - kernel + 1, in.width - kernel + 1, out});
}

Program tall(int height) {
  Program program(height, 1, 1);
  add_mean(program, add_conv(program, 0, 2));
  return program;
}

TEST(Limits, HoldForSides) {
  EXPECT_EQ(difference_of(tall(kMostSide), 1, {1, 2}), "");
  EXPECT_THAT(fault_of(tall(kMostSide + 1)),
              AllOf(HasSubstr("its image: "), HasSubstr("at most 1048576 rows")));
  Program padded(kMostSide, 1, 1);
  const int reals = add_dequantize(padded, 0);
  add_mean(padded, add_rearrange(padded, reals, packed::Layout::pad, {kMostSide + 2, 3, 1}, 1));
  EXPECT_THAT(fault_of(padded), AllOf(HasSubstr("step 1 (value2)"), HasSubstr("1048576 rows")));
}

Program flat(int height) {
  Program program(height, 4096, 1);
  const int all =
      add_rearrange(program, 0, packed::Layout::flatten, {1, 1, program.shape(0).height * 4096});
  add_dequantize(program, add_rearrange(program, all, packed::Layout::slice, {1, 1, 5},
                                        program.shape(all).channels - 5));
  return program;
}

TEST(Limits, HoldForChannels) {
  EXPECT_EQ(difference_of(flat(kMostChannels / 4096), 1, {1, 2}), "");
  EXPECT_THAT(fault_of(flat(kMostChannels / 4096 + 1)),
              AllOf(HasSubstr("step 0 (value1)"), HasSubstr("16777216 channels")));
}

// A network with 512 x 14 x 14 codes in front of its last layer.
TEST(Limits, AreBeyondALargeLinearLayer) {
  Program program(14, 14, 512);
  const int all = add_rearrange(program, 0, packed::Layout::flatten, {1, 1, 512 * 14 * 14});
  add_conv(program, all, 10, 1, 1, 1, -20);
  EXPECT_EQ(difference_of(program, 1, {1, 2}), "");
}

Program windowed(int kernel) {
  Program program(kernel, kernel, 1);
  add_dequantize(program, add_pool(program, 0, kernel, kernel));
  return program;
}

TEST(Limits, HoldForWindows) {
  EXPECT_EQ(difference_of(windowed(kMostWindow), 1, {1}), "");
  EXPECT_THAT(fault_of(windowed(kMostWindow + 1)),
              AllOf(HasSubstr("step 0 (value1)"), HasSubstr("at most 4096 are allowed")));
}

Program deep(int channels) {
  Program program(1, 1, channels);
  add_conv(program, 0, 1);
  return program;
}

TEST(Limits, HoldForInputsOfAChannel) {
  EXPECT_EQ(difference_of(deep(kMostInputs), 1, {1}), "");
  EXPECT_THAT(fault_of(deep(kMostInputs + 1)),
              AllOf(HasSubstr("step 0 (value1)"), HasSubstr("at most 4194304 are allowed")));
}

Program wide(int width) {
  Program program(64, width, 64);
  add_mean(program, add_conv(program, 0, 1, 64));
  return program;
}

TEST(Limits, HoldForTheRowsOfAReceptiveField) {
  const int most = kMostInReceptiveField / 64 / 64;
  EXPECT_EQ(fault_of(wide(most - 64)).find("receptive field"), std::string::npos);
  EXPECT_THAT(fault_of(wide(most + 1)),
              AllOf(HasSubstr("step 0 (value1)"), HasSubstr("268435456 are allowed")));
}

Program huge(int width) {
  Program program(1 << 15, width, 1);
  add_mean(program, add_dequantize(program, add_pool(program, 0, 1024, 1024)));
  return program;
}

TEST(Limits, HoldForNumbersOfAValue) {
  EXPECT_EQ(fault_of(huge(kMostNumbers >> 15)), "");
  EXPECT_THAT(fault_of(huge((kMostNumbers >> 15) + 1)), HasSubstr("more than 1073741824 numbers"));
}

Program in_planes(int convolutions, int of_codes, int of_weights) {
  Program program(1, 1, 1);
  for (int i = 0; i < convolutions; ++i) add_conv(program, 0, 1, 1, of_codes, of_weights);
  return program;
}

TEST(Limits, HoldForPlanes) {
  EXPECT_EQ(difference_of(in_planes(kMostKernels / kMostPlanePairs, 64, 64), 1, {1}), "");
  EXPECT_THAT(fault_of(in_planes(1, 65, 64)), HasSubstr("step 0 (value1): 65 planes"));
  EXPECT_THAT(fault_of(in_planes(kMostKernels / kMostPlanePairs + 1, 64, 64)),
              AllOf(HasSubstr("step 16 (value17)"), HasSubstr("65536 pairs")));
}

// 255 times the sizes of the weights may be up to 2^31 - 2.
TEST(Limits, HoldForSums) {
  const int most = 66'311;  // of weights of size 127
  const auto of = [](int channels) {
    Program program(1, 1, channels);
    add_conv(program, 0, 3, 1, 1, 1, 127);
    return program;
  };
  EXPECT_EQ(difference_of(of(most), 1, {1}), "");
  EXPECT_THAT(fault_of(of(most + 1)), AllOf(HasSubstr("step 0 (value1)"), HasSubstr("32 bits")));
}

// The bound is of the weights that there are, not of those that there might be.
TEST(Limits, OfSumsAreThoseOfTheWeightsThatThereAre) {
  Program program(1, 1, 200'000);
  add_conv(program, 0, 2, 1, 1, 1, 30);
  EXPECT_EQ(difference_of(program, 1, {1, 2}), "");
}

// Codes from -128 to 127 are units of 0 to 255 in kernels.
TEST(Limits, OfSumsHoldForUnitsOfCodes) {
  const auto of = [](int channels) {
    Program program(1, 1, channels);
    const int conv = add_conv(program, 0, 3, 1, 1, 1, -128);
    auto& plane =
        *static_cast<packed::CodeConvT*>(program.model.steps[0]->operation.value)->codes[0];
    plane.zero_points.clear();
    for (int code = -128; code < 128; ++code) plane.integers.push_back(static_cast<int8_t>(code));
    static_cast<void>(conv);
    return program;
  };
  const int most = 65'793;  // 255 * 128 * most < 2^31 - 1
  EXPECT_EQ(difference_of(of(most), 1, {1}), "");
  EXPECT_THAT(fault_of(of(most + 1)), HasSubstr("32 bits"));
}

}  // namespace
}  // namespace lowbit::runtime
