#include "lowbit/deploy/level_planes.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <optional>

namespace lowbit::deploy {
namespace {

using Levels = std::vector<std::vector<double>>;  // [group][code]

constexpr double kTolerance = 1e-5;
constexpr double kLargestInteger = 127;

double largest(const std::vector<double>& levels) {
  double most = 0;
  for (const double level : levels) most = std::max(most, std::abs(level));
  return most;
}

// The scale by which the integers come closest to the levels.
double fitted_scale(const std::vector<double>& levels, const std::vector<int8_t>& integers) {
  double product = 0, square = 0;
  for (size_t code = 0; code < levels.size(); ++code) {
    product += levels[code] * integers[code];
    square += static_cast<double>(integers[code]) * integers[code];
  }
  return square == 0 ? 0 : product / square;
}

bool fits(const std::vector<double>& levels, const std::vector<int8_t>& integers, double scale) {
  const double allowed = kTolerance * largest(levels);
  for (size_t code = 0; code < levels.size(); ++code)
    if (std::abs(levels[code] - scale * integers[code]) > allowed) return false;
  return true;
}

// The integers that the levels are, in units of a `parts`-th of the least distance between two.
std::optional<std::vector<int8_t>> integers_of(const std::vector<double>& levels, int parts) {
  double unit = std::numeric_limits<double>::infinity();
  for (size_t code = 1; code < levels.size(); ++code)
    unit = std::min(unit, std::abs(levels[code] - levels[code - 1]));
  unit /= parts;
  if (!(unit > 0) || largest(levels) / unit > kLargestInteger) return std::nullopt;
  std::vector<int8_t> integers;
  for (const double level : levels)
    integers.push_back(static_cast<int8_t>(std::lround(level / unit)));
  return integers;
}

// One plane: every group a multiple of the same integers.
std::optional<LevelPlane> proportional(const Levels& levels) {
  constexpr int kMostParts = 4;
  const auto model =
      std::ranges::find_if(levels, [](const auto& group) { return largest(group) > 0; });
  if (model == levels.end())
    return LevelPlane{std::vector<int8_t>(levels[0].size(), 1), std::vector<double>(levels.size())};
  for (int parts = 1; parts <= kMostParts; ++parts) {
    const auto integers = integers_of(*model, parts);
    if (!integers) continue;
    LevelPlane plane{*integers, {}};
    const bool all = std::ranges::all_of(levels, [&](const std::vector<double>& group) {
      plane.scales.push_back(fitted_scale(group, *integers));
      return fits(group, *integers, plane.scales.back());
    });
    if (all) return plane;
  }
  return std::nullopt;
}

// The first level of each group, and what the others are beyond it.
struct Shifted {
  LevelPlane constant;
  Levels rest;
};

Shifted shifted(const Levels& levels) {
  // Its type named: gcc 12 destroys a half-built aggregate's member from bare braces twice.
  Shifted result{LevelPlane{std::vector<int8_t>(levels[0].size(), 1), {}}, levels};
  for (std::vector<double>& group : result.rest) {
    const double first = group[0];
    result.constant.scales.push_back(first);
    for (double& level : group) level -= first;
  }
  return result;
}

void add_unless_zero(std::vector<LevelPlane>& planes, LevelPlane plane) {
  if (std::ranges::any_of(plane.scales, [](double scale) { return scale != 0; }))
    planes.push_back(std::move(plane));
}

// level(code) = constant + sum over the bits of the code of (bit ? half : -half) of each: the
// basis of LQ-Nets, where levels are in the order of codes. https://arxiv.org/abs/1807.10029
std::optional<std::vector<LevelPlane>> by_bits(const Levels& levels) {
  const size_t count = levels[0].size();
  if (!std::has_single_bit(count)) return std::nullopt;
  std::vector<LevelPlane> planes;
  LevelPlane constant{std::vector<int8_t>(count, 1), std::vector<double>(levels.size())};
  for (size_t group = 0; group < levels.size(); ++group)
    constant.scales[group] = (levels[group].front() + levels[group].back()) / 2;
  for (size_t bit = 1; bit < count; bit *= 2) {
    LevelPlane plane;
    for (size_t code = 0; code < count; ++code) plane.integers.push_back((code & bit) ? 1 : -1);
    for (const std::vector<double>& group : levels)
      plane.scales.push_back((group[bit] - group[0]) / 2);
    planes.push_back(std::move(plane));
  }
  for (size_t group = 0; group < levels.size(); ++group)
    for (size_t code = 0; code < count; ++code) {
      double sum = constant.scales[group];
      for (const LevelPlane& plane : planes) sum += plane.scales[group] * plane.integers[code];
      if (std::abs(sum - levels[group][code]) > kTolerance * largest(levels[group]))
        return std::nullopt;
    }
  for (size_t group = 0; group < levels.size(); ++group)
    if (std::abs(constant.scales[group]) <= kTolerance * largest(levels[group]))
      constant.scales[group] = 0;
  add_unless_zero(planes, std::move(constant));
  return planes;
}

// A plane for each threshold: 1 from there on.
std::vector<LevelPlane> by_thresholds(const Levels& levels) {
  std::vector<LevelPlane> planes;
  for (size_t k = 1; k < levels[0].size(); ++k) {
    LevelPlane plane;
    for (size_t code = 0; code < levels[0].size(); ++code) plane.integers.push_back(code >= k);
    for (const std::vector<double>& group : levels) plane.scales.push_back(group[k] - group[k - 1]);
    planes.push_back(std::move(plane));
  }
  add_unless_zero(planes, shifted(levels).constant);
  return planes;
}

}  // namespace

bool LevelPlane::is_constant() const {
  return std::ranges::all_of(integers, [](int8_t integer) { return integer == 1; });
}

std::vector<LevelPlane> level_planes(const std::vector<std::vector<float>>& levels) {
  Levels wide;
  for (const std::vector<float>& group : levels) wide.emplace_back(group.begin(), group.end());
  if (auto plane = proportional(wide)) return {*plane};
  const Shifted parts = shifted(wide);
  if (auto plane = proportional(parts.rest)) return {*plane, parts.constant};
  if (auto planes = by_bits(wide)) return *planes;
  return by_thresholds(wide);
}

std::vector<quant::StepFunction> with_equal_levels(std::vector<quant::StepFunction> groups) {
  size_t most = 0;
  for (const quant::StepFunction& group : groups) most = std::max(most, group.levels.size());
  for (quant::StepFunction& group : groups) {
    group.levels.resize(most, group.levels.back());
    group.thresholds.resize(most - 1, std::numeric_limits<float>::infinity());
  }
  return groups;
}

}  // namespace lowbit::deploy
