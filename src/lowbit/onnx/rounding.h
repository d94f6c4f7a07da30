// Thresholds as ONNX's QuantizeLinear has them: those of rounding to the nearest integer.
#pragma once

#include <optional>
#include <span>

namespace lowbit::onnx {

// code(x) = round(x / scale) + zero_point, ties to even, then between 0 and the largest code.
struct Rounding {
  float scale = 1;
  int zero_point = 0;  // 0 .. 255
};

// The rounding whose code is the number of thresholds (ascending, at least one) that are <= x: each
// of its steps within 2^-20 of a threshold, as many as possible exactly there. None if there is no
// such rounding, or if a step at 0 would be a tie: reals that are exactly 0 are common.
std::optional<Rounding> rounding_of(std::span<const float> thresholds);

}  // namespace lowbit::onnx
