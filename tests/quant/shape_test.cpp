#include "lowbit/quant/shape.h"

#include <gtest/gtest.h>

namespace lowbit::quant {
namespace {

using config::GradScale;
using config::Tag;

constexpr QuantShape kFeatures = {Tag::fm, {1, 12, 1, 1}, 4, 8};
constexpr QuantShape kWeight = {Tag::wt, {6, 4, 3, 3}, 4, 8};

double gradient_scale(const QuantShape& shape, GradScale kind, int64_t groups) {
  config::QuantOptions options;
  options.scale = 0.5;
  options.grad_scale = kind;
  return clip_gradient_scale(shape, options, groups);
}

TEST(QuantShape, DefaultIsOneGroupForFeaturesAndOnePerOutputChannelForWeights) {
  EXPECT_EQ(kFeatures.groups(0), 1);
  EXPECT_EQ(kWeight.groups(0), 6);
}

TEST(QuantShape, APositiveQuantGroupIsTheNumberOfGroups) {
  EXPECT_EQ(kFeatures.groups(4), 4);
  EXPECT_EQ(kWeight.groups(8), 8);
  EXPECT_EQ(kWeight.groups(1), 1);
}

TEST(QuantShape, ANegativeQuantGroupIsTheSizeOfAGroup) {
  EXPECT_EQ(kFeatures.groups(-4), 3);
  EXPECT_EQ(kWeight.groups(-8), 3);
}

TEST(QuantShape, AQuantGroupThatDoesNotDivideGivesTheDefault) {
  EXPECT_EQ(kFeatures.groups(5), 1);
  EXPECT_EQ(kFeatures.groups(-5), 1);
  EXPECT_EQ(kWeight.groups(5), 6);
  EXPECT_EQ(kWeight.groups(-7), 6);
}

TEST(QuantShape, FanIsTheNumberOfInputsOfAnOutput) {
  EXPECT_EQ(kWeight.fan(), 36);
  EXPECT_EQ(kFeatures.fan(), 12);
}

TEST(QuantShape, FeaturesCountTheElementsOfAStepAtTheInputsResolution) {
  EXPECT_EQ(kFeatures.elements(1), 12 * 4 * 8 * 8);
  EXPECT_EQ(kFeatures.elements(3), 4 * 4 * 8 * 8);
  EXPECT_EQ(kWeight.elements(6), 36);
}

TEST(ClipGradientScale, IsAsNamed) {
  EXPECT_DOUBLE_EQ(gradient_scale(kWeight, GradScale::none, 6), 1);
  EXPECT_DOUBLE_EQ(gradient_scale(kWeight, GradScale::fan_scale, 6), 0.5 * 6);
  EXPECT_DOUBLE_EQ(gradient_scale(kWeight, GradScale::scale_fan, 6), 0.5 / 6);
  EXPECT_DOUBLE_EQ(gradient_scale(kWeight, GradScale::element_scale, 24), 0.5 * 3);
  EXPECT_DOUBLE_EQ(gradient_scale(kFeatures, GradScale::scale_element, 3), 0.5 / 32);
}

}  // namespace
}  // namespace lowbit::quant
