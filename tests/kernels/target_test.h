// The fixture of tests that run on every back end and type.
#pragma once

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "arrays.h"

namespace lowbit::kernels {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

using Values = std::vector<double>;

// Skips what needs a GPU on a machine without one.
class TargetTest : public testing::TestWithParam<Target> {
 protected:
  void SetUp() override {
    if (!available(target)) GTEST_SKIP() << "no GPU on this machine";
  }

  const Target& target = GetParam();
  // The formula itself, computed as the target computes.
  const Target plain{Backend::reference, target.compute(), target.compute()};
};

}  // namespace lowbit::kernels

// Runs the tests of `suite`, a TargetTest, on all targets.
#define LOWBIT_ON_ALL_TARGETS(suite)                                         \
  INSTANTIATE_TEST_SUITE_P(Targets, suite, testing::ValuesIn(all_targets()), \
                           [](const auto& test) { return name(test.param); })
