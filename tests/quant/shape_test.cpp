#include "lowbit/quant/shape.h"

#include <gtest/gtest.h>

namespace lowbit::quant {
namespace {

using config::GradScale;
using config::Tag;

constexpr QuantShape kGroupedFeatures = {Tag::fm, {1, 12, 1, 1}, 4, 8};
constexpr QuantShape kGroupedWeight = {Tag::wt, {6, 4, 3, 3}, 4, 8};

double gradient_scale(const QuantShape& shape, GradScale kind, int64_t groups) {
  config::QuantOptions options;
  options.scale = 0.5;
  options.grad_scale = kind;
  return clip_gradient_scale(shape, options, groups);
}

TEST(QuantShape, DefaultIsOneGroupForFeaturesAndOnePerOutputChannelForWeights) {
  EXPECT_EQ(kGroupedFeatures.groups(0), 1);
  EXPECT_EQ(kGroupedWeight.groups(0), 6);
}

TEST(QuantShape, APositiveQuantGroupIsTheNumberOfGroups) {
  EXPECT_EQ(kGroupedFeatures.groups(4), 4);
  EXPECT_EQ(kGroupedWeight.groups(8), 8);
  EXPECT_EQ(kGroupedWeight.groups(1), 1);
}

TEST(QuantShape, ANegativeQuantGroupIsTheSizeOfAGroup) {
  EXPECT_EQ(kGroupedFeatures.groups(-4), 3);
  EXPECT_EQ(kGroupedWeight.groups(-8), 3);
}

TEST(QuantShape, AQuantGroupThatDoesNotDivideGivesTheDefault) {
  EXPECT_EQ(kGroupedFeatures.groups(5), 1);
  EXPECT_EQ(kGroupedFeatures.groups(-5), 1);
  EXPECT_EQ(kGroupedWeight.groups(5), 6);
  EXPECT_EQ(kGroupedWeight.groups(-7), 6);
}

TEST(QuantShape, FanIsTheNumberOfInputsOfAnOutput) {
  EXPECT_EQ(kGroupedWeight.fan(), 36);
  EXPECT_EQ(kGroupedFeatures.fan(), 12);
}

TEST(QuantShape, FeaturesCountTheElementsOfAStepAtTheInputsResolution) {
  EXPECT_EQ(kGroupedFeatures.elements(1), 12 * 4 * 8 * 8);
  EXPECT_EQ(kGroupedFeatures.elements(3), 4 * 4 * 8 * 8);
  EXPECT_EQ(kGroupedWeight.elements(6), 36);
}

TEST(ClipGradientScale, IsAsNamed) {
  EXPECT_DOUBLE_EQ(gradient_scale(kGroupedWeight, GradScale::none, 6), 1);
  EXPECT_DOUBLE_EQ(gradient_scale(kGroupedWeight, GradScale::fan_scale, 6), 0.5 * 6);
  EXPECT_DOUBLE_EQ(gradient_scale(kGroupedWeight, GradScale::scale_fan, 6), 0.5 / 6);
  EXPECT_DOUBLE_EQ(gradient_scale(kGroupedWeight, GradScale::element_scale, 24), 0.5 * 3);
  EXPECT_DOUBLE_EQ(gradient_scale(kGroupedFeatures, GradScale::scale_element, 3), 0.5 / 32);
}

}  // namespace
}  // namespace lowbit::quant
