#include "lowbit/deploy/byte_weights.h"

#include <algorithm>
#include <cmath>

#include "lowbit/deploy/numbers.h"
#include "lowbit/deploy/rounding.h"

namespace lowbit::deploy {
namespace {

constexpr double kMostByte = 255;

// [1, I, 1, 1]
torch::Tensor by_channel(const std::vector<double>& numbers) {
  return torch::tensor(numbers, torch::kFloat64).view({1, -1, 1, 1});
}

// Integers [O, I, k, k], `largest` at most, in the place of weights in units of them; input
// [B, I, H, W].
torch::Tensor rounded(const torch::Tensor& weight, int stride, int padding,
                      const torch::Tensor& input, int largest) {
  // The work grows with the cube of how many numbers are rounded together, and what lies far apart
  // is hardly alike: the channels are taken in parts.
  constexpr int64_t kTogether = 512;
  const int64_t in = weight.size(1), kernel = weight.size(2);
  const int64_t part = std::max<int64_t>(1, kTogether / (kernel * kernel));
  std::vector<torch::Tensor> parts;
  for (int64_t first = 0; first < in; first += part) {
    const int64_t count = std::min(part, in - first);
    const torch::Tensor own = weight.narrow(1, first, count);
    const torch::Tensor moments =
        patch_moments(input.narrow(1, first, count), static_cast<int>(kernel), stride, padding);
    parts.push_back(round_together(own.flatten(1), moments, largest).view(own.sizes()));
  }
  return torch::cat(parts, 1);
}

}  // namespace

ByteGrid grid_over(const torch::Tensor& x) {
  const double low = std::min(0.0, x.min().item<double>());
  const double high = std::max(0.0, x.max().item<double>());
  const double unit = high > low ? (high - low) / kMostByte : 1;
  const auto channels = static_cast<size_t>(x.size(1));
  return {.zero_points = std::vector(channels, static_cast<uint8_t>(std::round(-low / unit))),
          .unit = std::vector(channels, unit),
          .zero = std::vector(channels, 0.0)};
}

ByteWeights byte_weights(const torch::Tensor& weight, int groups, int stride, int padding,
                         const torch::Tensor& input, const ByteGrid& grid, int bits) {
  const int64_t out = weight.size(0) / groups, in = weight.size(1);
  const int largest = largest_integer(bits);
  const torch::Tensor unit = by_channel(grid.unit), zero = by_channel(grid.zero);
  const torch::Tensor real = input.dim() == 4 ? input : input.unsqueeze(2).unsqueeze(3);
  std::vector<torch::Tensor> codes, scales, shifts;
  for (int64_t group = 0; group < groups; ++group) {
    const torch::Tensor own = weight.detach().narrow(0, group * out, out).to(torch::kFloat64);
    const torch::Tensor own_unit = unit.narrow(1, group * in, in);
    const torch::Tensor own_zero = zero.narrow(1, group * in, in);
    const torch::Tensor scaled = own * own_unit;
    const torch::Tensor scale = (scaled.abs().amax({1, 2, 3}) / largest).clamp_min(1e-30);
    const torch::Tensor counts = (real.narrow(1, group * in, in) - own_zero.to(torch::kFloat32)) /
                                 own_unit.to(torch::kFloat32);
    codes.push_back(rounded(scaled / scale.view({-1, 1, 1, 1}), stride, padding, counts, largest));
    scales.push_back(scale);
    shifts.push_back((own * own_zero).sum({1, 2, 3}));
  }
  return {.codes = torch::cat(codes).to(torch::kInt8),
          .scale = numbers_of<double>(torch::cat(scales)),
          .shift = numbers_of<double>(torch::cat(shifts))};
}

}  // namespace lowbit::deploy
