#include "lowbit/runtime/lines.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "lowbit/runtime/formulas.h"

namespace lowbit::runtime {
namespace {

// Between lines of this width so few numbers lie that it does not matter how long these take.
constexpr float kMostWidth = 0x1p-9f;

// A number, finite, and its code.
struct CodeAt {
  float x;
  int code;
};

// What a number must not be below, and what it must stay below.
struct Bounds {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();

  void not_below(double bound) { low = std::max(low, bound); }
  void below(double bound) { high = std::min(high, bound); }

  // The number at this share of the way, and well inside where there is but one bound.
  double at(double share) const {
    const bool has_low = std::isfinite(low), has_high = std::isfinite(high);
    if (has_low && has_high) return low + share * (high - low);
    if (has_low) return low + std::max(std::abs(low), 1.0);
    return has_high ? high - std::max(std::abs(high), 1.0) : 0;
  }
};

// A line with just these codes must not be below (x, code), unless that is the first code, and must
// stay below (x, code + 1), unless that is the last. Here are those of the points, which are in the
// order of x, that it may touch: beside a step up or down, and the two ends. A monotone line that
// is right there is right between. Bounds by pairs of all points would be the same, but are most of
// the time that opening a network takes.
struct Corners {
  Corners(std::span<const CodeAt> points, int steps) {
    for (size_t i = 0; i < points.size(); ++i) {
      const bool end = i == 0 || i + 1 == points.size();
      const int code = points[i].code;
      if (code > 0 && (end || points[i - 1].code < code || points[i + 1].code < code))
        not_below.push_back(points[i]);
      if (code < steps && (end || points[i - 1].code > code || points[i + 1].code > code))
        below.push_back(points[i]);
    }
  }

  std::vector<CodeAt> not_below, below;
};

// Of the factor: by each two corners on either side of the line.
Bounds factors_of(std::span<const CodeAt> points, int steps) {
  const Corners corners(points, steps);
  Bounds factors;
  for (const CodeAt& under : corners.not_below)
    for (const CodeAt& above : corners.below) {
      const double rise = above.code + 1 - under.code;
      const double run = static_cast<double>(above.x) - under.x;
      if (run > 0) factors.below(rise / run);
      if (run < 0) factors.not_below(rise / run);
    }
  return factors;
}

// Of the shift, where the factor is chosen.
Bounds shifts_of(std::span<const CodeAt> points, int steps, double factor) {
  Bounds shifts;
  for (const CodeAt& point : points) {
    if (point.code > 0) shifts.not_below(point.code - factor * point.x);
    if (point.code < steps) shifts.below(point.code + 1 - factor * point.x);
  }
  return shifts;
}

// The proof, in the arithmetic of ElementwiseOperation::line_of_sums and between_lines.
bool hold(const Lines& lines, std::span<const CodeAt> points, int steps) {
  const auto code = [&](const CodeAt& point, float shift) {
    return static_cast<int>(
        formulas::place_on_line(point.x, lines.factor, shift, static_cast<float>(steps)));
  };
  return std::isfinite(lines.factor) && std::isfinite(lines.shift + lines.width) &&
         std::ranges::all_of(points, [&](const CodeAt& point) {
           return code(point, lines.shift) <= point.code &&
                  point.code <= code(point, lines.shift + lines.width);
         });
}

// Lines of at most that width between whose codes, of 0 .. steps, these are, in float32.
std::optional<Lines> find_lines(std::span<const CodeAt> points, int steps, float most_width) {
  // The middle has the most room for roundings; where bounds are near each other, it may be another
  // float32 number that lies between them.
  constexpr double kShares[] = {0.5, 0.25, 0.75};
  const Bounds factors = factors_of(points, steps);
  Lines lines;
  for (const double share : kShares) {
    lines.factor = static_cast<float>(factors.at(share));
    const Bounds shifts = shifts_of(points, steps, lines.factor);
    for (const double shift_share : kShares) {
      lines.shift = static_cast<float>(shifts.at(shift_share));
      if (hold(lines, points, steps)) return lines;
    }
  }
  lines.factor = static_cast<float>(factors.at(0.5));
  const Bounds shifts = shifts_of(points, steps, lines.factor);
  for (double room = steps * 0x1p-22; room < most_width; room *= 2) {
    lines.shift = static_cast<float>(shifts.high - room);
    lines.width = static_cast<float>(shifts.low + room - lines.shift);
    if (lines.width > most_width) break;
    if (hold(lines, points, steps)) return lines;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Lines> line_of_sums(std::span<const int32_t> thresholds, bool falls, int64_t most) {
  const auto steps = static_cast<int>(thresholds.size());
  std::vector<CodeAt> points;
  const auto add = [&](int64_t sum) {
    if (std::abs(sum) > most) return;
    const auto reached = static_cast<int>(
        std::ranges::count_if(thresholds, [&](int64_t threshold) { return threshold <= sum; }));
    points.push_back({static_cast<float>(sum), falls ? steps - reached : reached});
  };
  add(-most);
  for (const int64_t threshold : thresholds) {
    add(threshold - 1);
    add(threshold);
  }
  add(most);
  return find_lines(points, steps, 0);
}

std::optional<Lines> lines_of_reals(std::span<const float> thresholds) {
  if (!std::isfinite(thresholds.front()) || !std::isfinite(thresholds.back())) return std::nullopt;
  std::vector<CodeAt> points;
  const auto add = [&](float x) {
    const auto reached = std::ranges::upper_bound(thresholds, x) - thresholds.begin();
    points.push_back({x, static_cast<int>(reached)});
  };
  for (const float threshold : thresholds) {
    add(std::nextafter(threshold, -std::numeric_limits<float>::infinity()));
    add(threshold);
  }
  const std::optional<Lines> lines =
      find_lines(points, static_cast<int>(thresholds.size()), kMostWidth);
  // Where they rise, infinite numbers have the first code and the last.
  return lines && lines->factor > 0 ? lines : std::nullopt;
}

}  // namespace lowbit::runtime
