#include "lowbit/parity/name_fill.h"

#include <cmath>
#include <optional>
#include <string_view>

namespace lowbit::parity {
namespace {

uint64_t fnv1a64(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

// offset + factor * (u - shift)
struct Range {
  double offset, factor, shift;
};
constexpr Range kAroundOne = {0.5, 1, 0};
constexpr Range kAroundZero = {0, 0.2, 0.5};

std::optional<Range> range_of(std::string_view name, const torch::Tensor& tensor) {
  const std::string_view leaf = name.substr(name.rfind('.') + 1);
  if (leaf == "running_var") return kAroundOne;
  if (leaf == "running_mean") return kAroundZero;
  if (leaf == "weight" && tensor.dim() >= 2) {
    const double fan = static_cast<double>(tensor.numel()) / static_cast<double>(tensor.size(0));
    return Range{0, 2 * std::sqrt(3 / fan), 0.5};
  }
  if (leaf == "weight") return kAroundOne;
  if (leaf == "bias") return kAroundZero;
  if (leaf == "clip_val") return Range{0.8, 0.4, 0};
  if (leaf.starts_with("alpha")) return Range{1, 0.5, 0};
  if (leaf == "gamma" || leaf == "fixup_scale" || name.find("scales") != name.npos)
    return Range{0.5, 0.5, 0};
  if (leaf.starts_with("fixup_bias")) return Range{0, 0.1, 0.5};
  return std::nullopt;
}

}  // namespace

std::vector<double> uniform_from_key(const std::string& key, int64_t count) {
  std::vector<double> values(static_cast<size_t>(count));
  uint64_t state = fnv1a64(key);
  for (double& value : values) {
    state += 0x9E3779B97F4A7C15;
    uint64_t z = state;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    z ^= z >> 31;
    value = std::ldexp(static_cast<double>(z >> 40), -24);
  }
  return values;
}

void fill_from_name(const std::string& name, torch::Tensor tensor) {
  if (!tensor.is_floating_point()) return;
  const std::optional<Range> range = range_of(name, tensor);
  if (!range) return;
  std::vector<double> values = uniform_from_key(name, tensor.numel());
  for (double& value : values) value = range->offset + range->factor * (value - range->shift);
  const torch::NoGradGuard no_grad;
  tensor.copy_(torch::from_blob(values.data(), tensor.sizes(), torch::kFloat64));
}

}  // namespace lowbit::parity
