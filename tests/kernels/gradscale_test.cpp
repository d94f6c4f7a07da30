#include "lowbit/kernels/math/gradscale.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lowbit::kernels {
namespace {

TEST(Gradscale, FactorIsTheScaleExceptFromOneToBelowTwo) {
  EXPECT_EQ(gradscale_factor(0.25), 0.25);
  EXPECT_EQ(gradscale_factor(std::nextafter(1.0, 0.0)), std::nextafter(1.0, 0.0));
  EXPECT_EQ(gradscale_factor(1), 1);
  EXPECT_EQ(gradscale_factor(std::nextafter(2.0, 0.0)), 1);
  EXPECT_EQ(gradscale_factor(2), 2);
  EXPECT_EQ(gradscale_factor(100), 100);
}

TEST(Gradscale, SteScaleActsWhereAtMostAQuarterIsInside) {
  EXPECT_EQ(ste_scale_factor(100, 100), 1);
  EXPECT_EQ(ste_scale_factor(100, 26), 1);
  EXPECT_EQ(ste_scale_factor(100, 25), 2);
  EXPECT_EQ(ste_scale_factor(100, 1), 10);
  EXPECT_EQ(ste_scale_factor(100, 0), 1);
}

}  // namespace
}  // namespace lowbit::kernels
