// The levels of a quantizer as the packed format has them: a sum of bytes times real factors, so
// that a convolution of codes is sums of integers.
#pragma once

#include <cstdint>
#include <vector>

#include "lowbit/quant/lowering.h"

namespace lowbit::deploy {

// level(group, code) = sum over planes of scales[group] * integers[code]
struct LevelPlane {
  std::vector<int8_t> integers;  // by code of the grid; all 1: a constant
  std::vector<double> scales;    // by group
  bool is_constant() const;
};

// The planes of the grid for `groups` groups. One whose integers do not fit into a byte becomes one
// for each bit of its integers, and a constant.
std::vector<LevelPlane> level_planes(const quant::Grid& grid, size_t groups);

// Groups by step, padded to as many levels as the longest group has: added steps repeat the last
// level, and their thresholds are never reached.
std::vector<quant::StepFunction> with_equal_levels(std::vector<quant::StepFunction> groups);

}  // namespace lowbit::deploy
