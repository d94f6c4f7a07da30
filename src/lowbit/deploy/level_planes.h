// The levels of a quantizer as a sum of integers times real factors, so that a convolution of them
// is sums of integers.
#pragma once

#include <cstdint>
#include <vector>

#include "lowbit/quant/lowering.h"

namespace lowbit::deploy {

// level(group, code) = sum over planes of scales[group] * integers[code]
struct LevelPlane {
  std::vector<int8_t> integers;  // by code; all 1: a constant
  std::vector<double> scales;    // by group
  bool is_constant() const;
};

// Of groups with one number of levels: one plane for a uniform grid around 0, a constant beside it
// for one elsewhere, a plane for each bit where the levels are sums of a basis (LQ-Nets), otherwise
// one for each threshold. Within 1e-5 of the largest level of the group.
std::vector<LevelPlane> level_planes(const std::vector<std::vector<float>>& levels);

// Groups by code, those with fewer levels made as long as the longest: the code stands for the same
// level then, and the further thresholds are never reached.
std::vector<quant::StepFunction> with_equal_levels(std::vector<quant::StepFunction> groups);

}  // namespace lowbit::deploy
