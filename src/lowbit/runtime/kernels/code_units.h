// What the codes and weights of a convolution stand for, in small integers.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "lowbit/runtime/kernels/conv.h"

namespace lowbit::runtime {

// integer of a code = scale * unit[code] + offset[channel]. Units are 0 .. largest; one code at
// least has unit 0.
struct CodeUnits {
  int count;                           // of codes
  int scale;                           // >= 1: the greatest common divisor of the differences
  int largest;                         // <= 255
  std::vector<int32_t> offset;         // [in]
  std::array<uint8_t, 256> unit = {};  // of the first `count` codes

  bool same_as_codes() const;
  uint8_t code_of_zero() const;  // the code whose unit is 0
};

CodeUnits code_units(const ConvProblem& problem);

// The different weights, falling.
std::vector<int> weight_values(const ConvProblem& problem);

// The greatest common divisor of the different weights, >= 1.
int weight_scale(const std::vector<int>& values);

// [out]: sum over the input channels of the tap of offset * weight, for each tap (row, column).
std::vector<int32_t> offset_sums(const ConvProblem& problem, const CodeUnits& units);

}  // namespace lowbit::runtime
