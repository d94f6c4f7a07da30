#include "lowbit/quant/grid.h"

#include <algorithm>
#include <cmath>

namespace lowbit::quant {
namespace {

std::vector<int> counted_from(int first, int step, int codes) {
  std::vector<int> integers;
  for (int code = 0; code < codes; ++code) integers.push_back(first + step * code);
  return integers;
}

GridPlane offset_plane(size_t codes, torch::Tensor scale) {
  return {std::vector<int>(codes, 1), std::move(scale)};
}

}  // namespace

bool GridPlane::is_offset() const {
  return std::ranges::all_of(integers, [](int integer) { return integer == 1; });
}

Grid Grid::cpu() const {
  Grid result = *this;
  for (GridPlane& plane : result.planes) plane.scale = plane.scale.cpu();
  return result;
}

Grid uniform_grid(int codes, const torch::Tensor& scale, double shift) {
  constexpr int kMostParts = 4;
  const torch::Tensor unit = scale.detach().to(torch::kFloat64).flatten();
  for (int parts = 1; parts <= kMostParts; ++parts) {
    const double first = shift * parts;
    if (first != std::round(first)) continue;
    return {{{counted_from(static_cast<int>(first), parts, codes), unit / parts}}};
  }
  return {
      {{counted_from(0, 1, codes), unit}, offset_plane(static_cast<size_t>(codes), unit * shift)}};
}

Grid sign_grid(const torch::Tensor& scale) {
  return {{{{-1, 1}, scale.detach().to(torch::kFloat64).flatten()}}};
}

Grid scaled_grid(Grid grid, const torch::Tensor& factor, const torch::Tensor& offset) {
  if (factor.defined())
    for (GridPlane& plane : grid.planes) plane.scale = plane.scale * factor;
  if (offset.defined()) grid.planes.push_back(offset_plane(grid.codes(), offset));
  return grid;
}

}  // namespace lowbit::quant
