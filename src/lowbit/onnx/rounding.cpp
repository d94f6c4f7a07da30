#include "rounding.h"

#include <cmath>
#include <limits>

namespace lowbit::onnx {
namespace {

constexpr double kNear = 0x1p-20;  // of a threshold

// Where the code becomes k, in units of the scale; never 0.
double step_of(size_t k, int zero_point) {
  return static_cast<double>(k) - 0.5 - zero_point;
}

// In float32, as runtimes compute it.
int code_of(float x, const Rounding& rounding) {
  return static_cast<int>(std::nearbyint(x / rounding.scale)) + rounding.zero_point;
}

bool is_near(std::span<const float> thresholds, const Rounding& rounding) {
  for (size_t k = 1; k <= thresholds.size(); ++k) {
    const double threshold = thresholds[k - 1];
    const double step = step_of(k, rounding.zero_point) * static_cast<double>(rounding.scale);
    if (!(std::abs(step - threshold) <= kNear * std::abs(threshold))) return false;
  }
  return true;
}

int exact_steps(std::span<const float> thresholds, const Rounding& rounding) {
  int exact = 0;
  for (size_t k = 1; k <= thresholds.size(); ++k) {
    const float at = thresholds[k - 1];
    const float below = std::nextafter(at, -std::numeric_limits<float>::infinity());
    const int code = static_cast<int>(k);
    exact += code_of(at, rounding) >= code && code_of(below, rounding) < code;
  }
  return exact;
}

// What the scale and zero point must be about; a scale of 0: nothing.
Rounding first_guess(std::span<const float> thresholds) {
  const double first = thresholds.front(), last = thresholds.back();
  const double spacing = thresholds.size() == 1
                             ? 2 * first
                             : (last - first) / static_cast<double>(thresholds.size() - 1);
  if (!(spacing > 0) || !std::isfinite(spacing)) return {0, 0};
  const double zero_point = std::round(0.5 - first / spacing);
  if (!(zero_point >= 0 && zero_point <= 255)) return {0, 0};
  return {static_cast<float>(spacing), static_cast<int>(zero_point)};
}

}  // namespace

std::optional<Rounding> rounding_of(std::span<const float> thresholds) {
  constexpr int kNeighbors = 2;
  const Rounding guess = first_guess(thresholds);
  if (!(guess.scale > 0)) return std::nullopt;
  std::optional<Rounding> best;
  int most = -1;
  for (size_t k = 1; k <= thresholds.size(); ++k) {
    const double scale = thresholds[k - 1] / step_of(k, guess.zero_point);
    Rounding rounding = guess;
    rounding.scale = static_cast<float>(scale);
    for (int i = 0; i < kNeighbors; ++i) rounding.scale = std::nextafter(rounding.scale, 0.0F);
    for (int i = -kNeighbors; i <= kNeighbors; ++i) {
      if (rounding.scale > 0 && is_near(thresholds, rounding)) {
        const int exact = exact_steps(thresholds, rounding);
        if (exact > most) best = rounding;
        most = std::max(most, exact);
      }
      rounding.scale = std::nextafter(rounding.scale, std::numeric_limits<float>::infinity());
    }
  }
  return best;
}

}  // namespace lowbit::onnx
