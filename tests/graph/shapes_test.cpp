// The shape of every operation's result, and what it says of inputs that do not suit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lowbit/core/error.h"
#include "lowbit/graph/operation_table.h"

namespace lowbit::graph {
namespace {

using testing::HasSubstr;

Operand features(Dims dims) {
  return {{std::move(dims), /*batched=*/true}, std::nullopt};
}
Operand constant(Dims dims) {
  return {{std::move(dims), /*batched=*/false}, Role::trained};
}
Operand buffer(Dims dims, Role role) {
  return {{std::move(dims), /*batched=*/false}, role};
}

Dims dims_of(const Operation& operation, const std::vector<Operand>& inputs) {
  return infer("n", operation, inputs).dims;
}

std::string error_of(const Operation& operation, const std::vector<Operand>& inputs) {
  try {
    infer("block.conv", operation, inputs);
  } catch (const core::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("node 'block.conv'"));
    return error.what();
  }
  return "no error";
}

std::vector<Operand> conv_inputs(Dims x, Dims weight) {
  return {features(std::move(x)), constant(std::move(weight))};
}

TEST(ConvolutionShape, KeepsHeightApartFromWidth) {
  EXPECT_EQ(dims_of(Convolution{.padding = 1}, conv_inputs({5, 17, 40}, {8, 5, 3, 3})),
            (Dims{8, 17, 40}));
  EXPECT_EQ(dims_of(Convolution{.stride = {2, 3}}, conv_inputs({5, 17, 40}, {8, 5, 3, 3})),
            (Dims{8, 8, 13}));
}

TEST(ConvolutionShape, FollowsOneDimensionalKernels) {
  EXPECT_EQ(dims_of(Convolution{.padding = {0, 3, 0, 3}}, conv_inputs({1, 9, 20}, {4, 1, 1, 7})),
            (Dims{4, 9, 20}));
  EXPECT_EQ(dims_of(Convolution{}, conv_inputs({1, 9, 20}, {4, 1, 5, 1})), (Dims{4, 5, 20}));
}

TEST(ConvolutionShape, AddsThePaddingOfEachSide) {
  EXPECT_EQ(dims_of(Convolution{.padding = {1, 0, 2, 5}}, conv_inputs({3, 8, 8}, {4, 3, 2, 2})),
            (Dims{4, 10, 12}));
  EXPECT_EQ(dims_of(Convolution{.stride = 2, .padding = {0, 0, 1, 1}},
                    conv_inputs({3, 224, 224}, {4, 3, 3, 3})),
            (Dims{4, 112, 112}));
}

TEST(ConvolutionShape, WidensTheKernelByItsDilation) {
  EXPECT_EQ(dims_of(Convolution{.dilation = {3, 1}}, conv_inputs({3, 10, 10}, {4, 3, 3, 3})),
            (Dims{4, 4, 8}));
}

TEST(ConvolutionShape, DividesTheChannelsByItsGroups) {
  EXPECT_EQ(dims_of(Convolution{.groups = 6}, conv_inputs({6, 4, 4}, {12, 1, 3, 3})),
            (Dims{12, 2, 2}));
}

TEST(ConvolutionShape, NamesWhatDoesNotSuit) {
  const auto message = [](const Convolution& op, Dims x, Dims weight) {
    return error_of(op, conv_inputs(std::move(x), std::move(weight)));
  };
  EXPECT_THAT(
      message({}, {3, 8, 8}, {4, 5, 3, 3}),
      HasSubstr("node 'block.conv' (convolution): its weight [4, 5, 3, 3] takes 5 channels, "
                "its input [3, 8, 8] has 3"));
  EXPECT_THAT(message({}, {3, 8}, {4, 3, 3, 3}), HasSubstr("its input is [3, 8], not an image"));
  EXPECT_THAT(message({}, {3, 8, 8}, {4, 3, 3}), HasSubstr("its weight is [4, 3, 3]"));
  EXPECT_THAT(message({}, {3, 2, 8}, {4, 3, 3, 3}),
              HasSubstr("its window is 3 pixels high, its padded input 2"));
  EXPECT_THAT(message({.dilation = 4}, {3, 20, 8}, {4, 3, 3, 3}),
              HasSubstr("its window is 9 pixels wide, its padded input 8"));
  EXPECT_THAT(message({.stride = 0}, {3, 8, 8}, {4, 3, 3, 3}), HasSubstr("stride 0"));
  EXPECT_THAT(message({.dilation = 0}, {3, 8, 8}, {4, 3, 3, 3}), HasSubstr("dilation 0"));
  EXPECT_THAT(message({.padding = -1}, {3, 8, 8}, {4, 3, 3, 3}), HasSubstr("padding -1"));
  EXPECT_THAT(message({.groups = 0}, {3, 8, 8}, {4, 3, 3, 3}), HasSubstr("groups 0"));
  EXPECT_THAT(message({.groups = 2}, {3, 8, 8}, {4, 1, 3, 3}),
              HasSubstr("2 groups do not divide its 3 input channels"));
  EXPECT_THAT(message({.groups = 3}, {3, 8, 8}, {4, 1, 3, 3}),
              HasSubstr("3 groups do not divide its 4 output channels"));
}

TEST(ConvolutionShape, RefusesSizesThatOverflow) {
  const int64_t huge = int64_t{1} << 62;
  EXPECT_THAT(error_of(Convolution{.padding = huge}, conv_inputs({3, 8, 8}, {4, 3, 3, 3})),
              HasSubstr("out of range"));
  EXPECT_THAT(error_of(Convolution{.dilation = huge}, conv_inputs({3, 8, 8}, {4, 3, 3, 3})),
              HasSubstr("out of range"));
  EXPECT_THAT(error_of(Convolution{.padding = kMaxSize}, conv_inputs({3, 8, 8}, {4, 3, 3, 3})),
              HasSubstr("out of range"));
  EXPECT_THAT(error_of(Convolution{.padding = kMaxSize / 4}, conv_inputs({3, 8, 8}, {4, 3, 3, 3})),
              HasSubstr("elements"));
}

TEST(ConvolutionShape, ChecksItsBias) {
  EXPECT_EQ(dims_of(Convolution{}, {features({3, 8, 8}), constant({4, 3, 1, 1}), constant({4})}),
            (Dims{4, 8, 8}));
  EXPECT_THAT(error_of(Convolution{}, {features({3, 8, 8}), constant({4, 3, 1, 1}), constant({3})}),
              HasSubstr("its bias is [3], not [4]"));
}

TEST(Inputs, HaveTheirNumberAndKinds) {
  EXPECT_THAT(error_of(Relu{}, {}), HasSubstr("it has 0 inputs, not 1"));
  EXPECT_THAT(error_of(Convolution{}, {features({3, 8, 8})}),
              HasSubstr("it has 1 inputs, not 2 to 3"));
  EXPECT_THAT(error_of(Convolution{}, {constant({3, 8, 8}), constant({4, 3, 1, 1})}),
              HasSubstr("its x is a parameter, not features"));
  EXPECT_THAT(error_of(Linear{}, {features({3}), features({4, 3})}),
              HasSubstr("its weight is features, not a parameter"));
  EXPECT_THAT(error_of(Relu{}, {buffer({}, Role::counter)}), HasSubstr("is a buffer of a norm"));
}

TEST(LinearShape, ChangesTheLastAxis) {
  EXPECT_EQ(dims_of(Linear{}, {features({7}), constant({4, 7}), constant({4})}), Dims{4});
  EXPECT_EQ(dims_of(Linear{}, {features({9, 7}), constant({4, 7})}), (Dims{9, 4}));
  EXPECT_THAT(error_of(Linear{}, {features({8}), constant({4, 7})}),
              HasSubstr("its weight [4, 7] takes 7 features, its input is [8]"));
}

std::vector<Operand> norm_inputs(const Dims& x, int64_t channels) {
  return {features(x),
          constant({channels}),
          constant({channels}),
          buffer({channels}, Role::statistics),
          buffer({channels}, Role::statistics),
          buffer({}, Role::counter)};
}

TEST(NormShape, IsThatOfItsInput) {
  EXPECT_EQ(dims_of(BatchNorm{}, norm_inputs({5, 2, 3}, 5)), (Dims{5, 2, 3}));
  EXPECT_EQ(dims_of(BatchNorm{}, norm_inputs({5}, 5)), Dims{5});
  EXPECT_EQ(dims_of(GroupNorm{.groups = 3}, {features({6, 2, 3}), constant({6}), constant({6})}),
            (Dims{6, 2, 3}));
  EXPECT_EQ(dims_of(InstanceNorm{}, {features({6, 2, 3})}), (Dims{6, 2, 3}));
}

TEST(NormShape, NamesWhatDoesNotSuit) {
  EXPECT_THAT(error_of(BatchNorm{}, norm_inputs({5, 2, 3}, 4)),
              HasSubstr("its weight is [4], not [5]"));
  EXPECT_THAT(error_of(BatchNorm{.eps = -1}, norm_inputs({5, 2, 3}, 5)), HasSubstr("eps -1"));
  EXPECT_THAT(error_of(BatchNorm{.momentum = 2}, norm_inputs({5}, 5)), HasSubstr("momentum 2"));
  std::vector<Operand> inputs = norm_inputs({5, 2, 3}, 5);
  inputs[3].role = Role::trained;
  EXPECT_THAT(error_of(BatchNorm{}, inputs),
              HasSubstr("its running_mean is no running statistics"));
  EXPECT_THAT(error_of(GroupNorm{.groups = 4}, {features({6}), constant({6}), constant({6})}),
              HasSubstr("4 groups do not divide 6 channels"));
  EXPECT_THAT(error_of(InstanceNorm{}, {features({6})}), HasSubstr("no pixels"));
}

TEST(ActivationShape, IsThatOfItsInput) {
  const Dims dims = {3, 4, 5};
  EXPECT_EQ(dims_of(Relu{}, {features(dims)}), dims);
  EXPECT_EQ(dims_of(Clip{}, {features(dims)}), dims);
  EXPECT_EQ(dims_of(LeakyRelu{}, {features(dims)}), dims);
  EXPECT_EQ(dims_of(Widen{}, {features(dims)}), dims);
  EXPECT_EQ(dims_of(PRelu{}, {features(dims), constant({1})}), dims);
  EXPECT_EQ(dims_of(PRelu{}, {features(dims), constant({3})}), dims);
  EXPECT_THAT(error_of(PRelu{}, {features(dims), constant({4})}), HasSubstr("its slope is [4]"));
  EXPECT_THAT(error_of(Clip{.low = 2, .high = 1}, {features(dims)}), HasSubstr("lower bound"));
}

TEST(ScaledSumShape, HasTheChannelsOfOnePart) {
  EXPECT_EQ(dims_of(ScaledSum{}, {features({6, 4, 5}), constant({3})}), (Dims{2, 4, 5}));
  EXPECT_THAT(error_of(ScaledSum{}, {features({6, 4, 5}), constant({4})}),
              HasSubstr("scales [4] do not divide [6, 4, 5]"));
}

Quantize quantize(config::Tag tag, std::array<int64_t, 4> shape) {
  return {.tag = tag,
          .options = {.enable = true, .method = config::Method::lsq, .bit = 2},
          .shape = shape};
}

TEST(QuantizeShape, IsThatOfItsInput) {
  EXPECT_EQ(dims_of(quantize(config::Tag::fm, {1, 3, 1, 1}), {features({3, 4, 5})}),
            (Dims{3, 4, 5}));
  const Type weight =
      infer("w", quantize(config::Tag::wt, {8, 4, 3, 3}), std::vector{constant({8, 1, 3, 3})});
  EXPECT_EQ(weight, (Type{{8, 1, 3, 3}, /*batched=*/false}));
}

TEST(QuantizeShape, NamesWhatDoesNotSuit) {
  EXPECT_THAT(error_of(quantize(config::Tag::fm, {1, 4, 1, 1}), {features({3, 4, 5})}),
              HasSubstr("4 channels, its input is [3, 4, 5]"));
  EXPECT_THAT(error_of(quantize(config::Tag::wt, {3, 4, 5, 1}), {features({3, 4, 5})}),
              HasSubstr("a quantizer of weights has features"));
  EXPECT_THAT(error_of(quantize(config::Tag::fm, {1, 3, 1, 1}), {constant({3, 4, 5})}),
              HasSubstr("a quantizer of features has a parameter"));
  Quantize none = quantize(config::Tag::fm, {1, 3, 1, 1});
  none.options.bit.reset();
  EXPECT_THAT(error_of(none, {features({3, 4, 5})}), HasSubstr("no number of levels"));
  none.options.level = 1;
  EXPECT_THAT(error_of(none, {features({3, 4, 5})}), HasSubstr("1 levels"));
  none.options.bit = 99;
  EXPECT_THAT(error_of(none, {features({3, 4, 5})}), HasSubstr("99 bits"));
}

TEST(BinaryShape, BroadcastsAsNumPy) {
  EXPECT_EQ(dims_of(Binary{}, {features({3, 4, 5}), features({3, 4, 5})}), (Dims{3, 4, 5}));
  EXPECT_EQ(dims_of(Binary{}, {features({3, 4, 5}), features({3, 1, 1})}), (Dims{3, 4, 5}));
  EXPECT_EQ(dims_of(Binary{}, {features({3, 4, 5}), constant({1})}), (Dims{3, 4, 5}));
  EXPECT_EQ(dims_of(Binary{}, {constant({3, 1, 1}), features({3, 4, 5})}), (Dims{3, 4, 5}));
  EXPECT_FALSE(infer("n", Binary{}, std::vector{constant({4}), constant({2, 4})}).batched);
}

TEST(BinaryShape, NamesWhatDoesNotSuit) {
  EXPECT_THAT(error_of(Binary{Arithmetic::multiply}, {features({3, 4, 5}), features({3, 4, 6})}),
              HasSubstr("(multiply): sizes [3, 4, 5] and [3, 4, 6] do not fit"));
  // The batch would meet the channels.
  EXPECT_THAT(error_of(Binary{}, {features({3}), features({3, 4, 5})}),
              HasSubstr("numbers of axes of [3] and [3, 4, 5]"));
  EXPECT_THAT(error_of(Binary{}, {features({3}), constant({4, 3})}), HasSubstr("numbers of axes"));
}

TEST(ConcatShape, AddsUpAlongItsAxis) {
  const std::vector<Operand> inputs = {features({3, 4, 5}), features({2, 4, 5})};
  EXPECT_EQ(dims_of(Concat{}, inputs), (Dims{5, 4, 5}));
  EXPECT_EQ(dims_of(Concat{.axis = 2}, {features({3, 4, 5}), features({3, 4, 1})}),
            (Dims{3, 4, 6}));
  EXPECT_THAT(error_of(Concat{.axis = 1}, inputs),
              HasSubstr("[3, 4, 5] and [2, 4, 5] cannot be joined along axis 1"));
  EXPECT_THAT(error_of(Concat{}, {features({3, 4, 5}), features({2, 4})}),
              HasSubstr("cannot be joined"));
  EXPECT_THAT(error_of(Concat{.axis = 3}, inputs), HasSubstr("has no axis 3"));
  EXPECT_THAT(error_of(Concat{}, {features({3}), constant({3})}),
              HasSubstr("joins features with a parameter"));
}

TEST(SliceShape, CountsTheEntriesItTakes) {
  EXPECT_EQ(dims_of(Slice{.begin = 2, .end = 6}, {features({8, 4, 5})}), (Dims{4, 4, 5}));
  EXPECT_EQ(dims_of(Slice{.axis = 1, .begin = 1, .end = 7, .step = 3}, {features({8, 7, 5})}),
            (Dims{8, 2, 5}));
  for (const Slice& slice :
       {Slice{.begin = -1, .end = 2}, Slice{.begin = 2, .end = 2}, Slice{.begin = 0, .end = 9}})
    EXPECT_THAT(error_of(slice, {features({8, 4, 5})}), HasSubstr("are not in axis 0"));
  EXPECT_THAT(error_of(Slice{.step = 0}, {features({8, 4, 5})}), HasSubstr("step 0"));
  EXPECT_THAT(error_of(Slice{.axis = -1}, {features({8, 4, 5})}), HasSubstr("has no axis -1"));
}

TEST(PoolShape, DropsOrCountsTheRestAtTheBorder) {
  EXPECT_EQ(dims_of(Pool{.kernel = 3, .stride = 2, .padding = 1}, {features({2, 112, 7})}),
            (Dims{2, 56, 4}));
  EXPECT_EQ(dims_of(Pool{.kernel = 3, .stride = 2}, {features({2, 112, 112})}), (Dims{2, 55, 55}));
  EXPECT_EQ(dims_of(Pool{.kernel = 3, .stride = 2, .ceil = true}, {features({2, 112, 112})}),
            (Dims{2, 56, 56}));
  // The last window would begin in the padding behind the image: PyTorch leaves it out.
  EXPECT_EQ(
      dims_of(Pool{.kernel = 2, .stride = 2, .padding = 1, .ceil = true}, {features({1, 3, 3})}),
      (Dims{1, 2, 2}));
  EXPECT_EQ(dims_of(Pool{.kernel = {1, 3}, .stride = {1, 2}}, {features({2, 5, 9})}),
            (Dims{2, 5, 4}));
  EXPECT_EQ(dims_of(Pool{.kernel = 2, .stride = 1, .padding = {0, 0, 1, 1}}, {features({2, 5, 9})}),
            (Dims{2, 5, 9}));
  EXPECT_EQ(dims_of(Pool{.kernel = 3, .stride = 1, .dilation = 2}, {features({2, 5, 9})}),
            (Dims{2, 1, 5}));
}

TEST(PoolShape, NamesWhatDoesNotSuit) {
  EXPECT_THAT(error_of(Pool{.kernel = 2, .padding = 2}, {features({2, 5, 5})}),
              HasSubstr("a padding of 2 pixels is not smaller than its window of 2"));
  EXPECT_THAT(error_of(Pool{.kernel = 9}, {features({2, 5, 12})}),
              HasSubstr("its window is 9 pixels high, its padded input 5"));
  EXPECT_THAT(error_of(Pool{.kernel = {0, 1}}, {features({2, 5, 5})}), HasSubstr("kernel 0"));
  EXPECT_THAT(error_of(Pool{.kind = Pool::Kind::average, .dilation = 2}, {features({2, 5, 5})}),
              HasSubstr("no dilation"));
}

TEST(MeanShape, DropsOrKeepsItsAxes) {
  EXPECT_EQ(dims_of(Mean{.axes = {1, 2}}, {features({6, 4, 5})}), Dims{6});
  EXPECT_EQ(dims_of(Mean{.axes = {1, 2}, .keep = true}, {features({6, 4, 5})}), (Dims{6, 1, 1}));
  EXPECT_EQ(dims_of(Mean{.axes = {0}}, {features({6, 4, 5})}), (Dims{4, 5}));
  EXPECT_THAT(error_of(Mean{}, {features({6, 4, 5})}), HasSubstr("it has no axes"));
  EXPECT_THAT(error_of(Mean{.axes = {2, 1}}, {features({6, 4, 5})}), HasSubstr("do not ascend"));
  EXPECT_THAT(error_of(Mean{.axes = {3}}, {features({6, 4, 5})}), HasSubstr("has no axis 3"));
}

TEST(ReshapeShape, KeepsTheNumberOfElements) {
  EXPECT_EQ(dims_of(Reshape{{120}}, {features({6, 4, 5})}), Dims{120});
  EXPECT_THAT(error_of(Reshape{{121}}, {features({6, 4, 5})}),
              HasSubstr("[6, 4, 5] cannot become [121]"));
  EXPECT_THAT(error_of(Reshape{{-1}}, {features({6, 4, 5})}), HasSubstr("out of range"));
}

TEST(TransposeShape, PermutesTheAxes) {
  EXPECT_EQ(dims_of(Transpose{{2, 0, 1}}, {features({6, 4, 5})}), (Dims{5, 6, 4}));
  EXPECT_THAT(error_of(Transpose{{0, 0, 1}}, {features({6, 4, 5})}), HasSubstr("axis 0 twice"));
  EXPECT_THAT(error_of(Transpose{{0, 1}}, {features({6, 4, 5})}), HasSubstr("permutation [0, 1]"));
  EXPECT_THAT(error_of(Transpose{{0, 1, 3}}, {features({6, 4, 5})}), HasSubstr("no axis 3"));
}

TEST(CellShape, MovesPixelsToChannelsAndBack) {
  EXPECT_EQ(dims_of(SpaceToDepth{.cell = 4}, {features({3, 32, 16})}), (Dims{48, 8, 4}));
  EXPECT_EQ(dims_of(DepthToSpace{.cell = 4}, {features({48, 8, 4})}), (Dims{3, 32, 16}));
  EXPECT_THAT(error_of(SpaceToDepth{.cell = 4}, {features({3, 32, 18})}),
              HasSubstr("features of 32 x 18 pixels cannot be cut into cells of 4 x 4 pixels"));
  EXPECT_THAT(error_of(DepthToSpace{.cell = 4}, {features({24, 8, 4})}),
              HasSubstr("24 channels cannot become cells"));
  EXPECT_THAT(error_of(DepthToSpace{.cell = kMaxSize}, {features({24, 8, 4})}),
              HasSubstr("24 channels cannot become cells"));
  EXPECT_THAT(error_of(SpaceToDepth{.cell = 0}, {features({3, 32, 16})}), HasSubstr("cell 0"));
}

TEST(PadShape, AddsTheSides) {
  EXPECT_EQ(dims_of(Pad{.padding = {1, 2, 3, 4}}, {features({3, 10, 20})}), (Dims{3, 14, 26}));
  EXPECT_THAT(error_of(Pad{.padding = {0, 0, 0, -1}}, {features({3, 10, 20})}),
              HasSubstr("padding -1"));
}

}  // namespace
}  // namespace lowbit::graph
