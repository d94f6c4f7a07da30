// The levels of a quantizer in evaluation, as each method states them: integers times real scales.
// Evaluation on whole numbers, packed networks and through them ONNX files take the integers and
// scales from here.
#pragma once

#include <torch/types.h>

#include <vector>

namespace lowbit::quant {

// One term of the levels.
struct GridPlane {
  std::vector<int> integers;  // by code
  torch::Tensor scale;        // float64, [1] or [groups]

  // Whether the term is the same for every code: all integers are 1.
  bool is_offset() const;
};

// level(group, code) = sum over the planes of scale(group) * integers(code), but for the roundings
// of the method's own formula. Codes are 0 .. codes() - 1.
struct Grid {
  std::vector<GridPlane> planes;  // none: the quantizer has no grid at the moment

  size_t codes() const { return planes.empty() ? 0 : planes[0].integers.size(); }
  // With its scales on the CPU.
  Grid cpu() const;
};

// level(code) = scale (code + shift) for `codes` codes. One plane where some multiple up to the
// fourth of shift is a whole number, as for grids around zero; otherwise an offset is the second.
Grid uniform_grid(int codes, const torch::Tensor& scale, double shift = 0);

// -scale and scale: the codes of negative numbers and of the others.
Grid sign_grid(const torch::Tensor& scale);

// The grid of factor * level + offset, both float64 [1] or [groups]; undefined: 1 and 0.
Grid scaled_grid(Grid grid, const torch::Tensor& factor, const torch::Tensor& offset);

}  // namespace lowbit::quant
