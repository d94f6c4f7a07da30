#include "lowbit/data/color.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "lowbit/kernels/math/random.h"

namespace lowbit::data {
namespace {

using kernels::blend;
using kernels::gray;

void blend_all(std::span<uint8_t> pixels, uint8_t none, float factor) {
  std::array<uint8_t, 256> table;
  for (size_t byte = 0; byte < table.size(); ++byte)
    table[byte] = blend(none, static_cast<uint8_t>(byte), factor);
  for (uint8_t& byte : pixels) byte = table[byte];
}

void change_contrast(std::span<uint8_t> pixels, float factor) {
  uint64_t sum = 0;
  for (size_t i = 0; i < pixels.size(); i += 3) sum += gray(&pixels[i]);
  blend_all(pixels, kernels::mean_gray(sum, static_cast<int64_t>(pixels.size() / 3)), factor);
}

void change_saturation(std::span<uint8_t> pixels, float factor) {
  for (size_t i = 0; i < pixels.size(); i += 3) {
    const uint8_t none = gray(&pixels[i]);
    for (size_t channel = 0; channel < 3; ++channel)
      pixels[i + channel] = blend(none, pixels[i + channel], factor);
  }
}

}  // namespace

ColorJitter draw_color_jitter(uint64_t seed, int64_t epoch, int64_t index) {
  constexpr double kRange = 0.4;
  const kernels::Random128 bits =
      kernels::random_bits(seed, kernels::Purpose::jitter, epoch, index);
  const auto factor = [&bits](int i) {
    return static_cast<float>(1 - kRange + 2 * kRange * (bits.word[i] * 0x1p-32));
  };
  ColorJitter jitter{factor(0), factor(1), factor(2), {0, 1, 2}};
  const uint32_t permutations = kernels::uniform_below(bits.word[3], 0, 6);
  std::swap(jitter.order[0], jitter.order[permutations % 3]);
  std::swap(jitter.order[1], jitter.order[1 + permutations / 3]);
  return jitter;
}

void change_colors(const ColorJitter& jitter, std::span<uint8_t> pixels) {
  for (const int change : jitter.order) {
    if (change == 0) blend_all(pixels, 0, jitter.brightness);
    if (change == 1) change_contrast(pixels, jitter.contrast);
    if (change == 2) change_saturation(pixels, jitter.saturation);
  }
}

std::array<float, 3> draw_lighting(uint64_t seed, int64_t epoch, int64_t index) {
  constexpr double kStrength = 0.1;
  constexpr double kDeviations[3] = {0.2175, 0.0188, 0.0045};
  constexpr double kComponents[3][3] = {{-0.5675, 0.7192, 0.4009},  // rows: red, green, blue
                                        {-0.5808, -0.0045, -0.8140},
                                        {-0.5836, -0.6948, 0.4203}};
  const kernels::Random128 bits =
      kernels::random_bits(seed, kernels::Purpose::lighting, epoch, index);
  // Box and Muller: two uniform numbers, the first not 0, become two normal ones.
  const auto uniform = [&bits](int i) { return (bits.word[i] + 0.5) * 0x1p-32; };
  const double near = std::sqrt(-2 * std::log(uniform(0))),
               far = std::sqrt(-2 * std::log(uniform(2)));
  const double angle = 2 * std::numbers::pi * uniform(1);
  const double normal[3] = {near * std::cos(angle), near * std::sin(angle),
                            far * std::cos(2 * std::numbers::pi * uniform(3))};
  std::array<float, 3> light{};
  for (size_t color = 0; color < 3; ++color) {
    double sum = 0;
    for (size_t i = 0; i < 3; ++i)
      sum += kComponents[color][i] * kDeviations[i] * kStrength * normal[i];
    light[color] = static_cast<float>(sum);
  }
  return light;
}

}  // namespace lowbit::data
