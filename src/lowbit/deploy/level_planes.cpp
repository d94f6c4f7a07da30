#include "lowbit/deploy/level_planes.h"

#include <algorithm>
#include <limits>

namespace lowbit::deploy {
namespace {

constexpr int kLargestInteger = 127;

std::vector<double> by_group(const torch::Tensor& scale, size_t groups) {
  const torch::Tensor all = scale.cpu().expand({static_cast<int64_t>(groups)}).contiguous();
  const double* first = all.const_data_ptr<double>();
  return {first, first + groups};
}

bool fits(const std::vector<int>& integers) {
  return std::ranges::all_of(integers, [](int integer) {
    return -kLargestInteger <= integer && integer <= kLargestInteger;
  });
}

// integer = least + sum over the bits b of (integer - least) of 2^b, and a bit is (1 +- 1) / 2. A
// bit that no integer has needs no plane.
void add_bits(const quant::GridPlane& plane, size_t groups, std::vector<LevelPlane>& planes) {
  const int least = std::ranges::min(plane.integers), most = std::ranges::max(plane.integers);
  const std::vector<double> scales = by_group(plane.scale, groups);
  const auto times = [&scales](double factor) {
    std::vector<double> result = scales;
    for (double& scale : result) scale *= factor;
    return result;
  };
  double middle = least;
  for (int bit = 1; bit <= most - least; bit *= 2) {
    const auto has_bit = [&](int integer) { return ((integer - least) & bit) != 0; };
    if (std::ranges::none_of(plane.integers, has_bit)) continue;
    LevelPlane part{{}, times(bit / 2.0)};
    for (const int integer : plane.integers) part.integers.push_back(has_bit(integer) ? 1 : -1);
    planes.push_back(std::move(part));
    middle += bit / 2.0;
  }
  if (middle != 0) planes.push_back({std::vector<int8_t>(plane.integers.size(), 1), times(middle)});
}

}  // namespace

bool LevelPlane::is_constant() const {
  return std::ranges::all_of(integers, [](int8_t integer) { return integer == 1; });
}

std::vector<LevelPlane> level_planes(const quant::Grid& grid, size_t groups) {
  std::vector<LevelPlane> planes;
  for (const quant::GridPlane& plane : grid.planes) {
    if (fits(plane.integers))
      planes.push_back(
          {{plane.integers.begin(), plane.integers.end()}, by_group(plane.scale, groups)});
    else
      add_bits(plane, groups, planes);
  }
  return planes;
}

std::vector<quant::StepFunction> with_equal_levels(std::vector<quant::StepFunction> groups) {
  size_t most = 0;
  for (const quant::StepFunction& group : groups) most = std::max(most, group.levels.size());
  for (quant::StepFunction& group : groups) {
    group.levels.resize(most, group.levels.back());
    group.codes.resize(most, group.codes.back());
    group.thresholds.resize(most - 1, std::numeric_limits<float>::infinity());
  }
  return groups;
}

}  // namespace lowbit::deploy
