#include <algorithm>
#include <cstdlib>
#include <limits>

#include "lowbit/core/error.h"
#include "lowbit/runtime/kernels/code_units.h"
#include "lowbit/runtime/weights.h"

namespace lowbit::runtime {
namespace {

// The larger of |integer| over the codes of a channel.
int64_t largest_integer(const ConvProblem& problem, int channel) {
  if (problem.code_integers.empty()) {
    const int zero = problem.zero_points[static_cast<size_t>(channel)];
    return std::max(zero, 255 - zero);
  }
  int largest = 0;
  for (const int integer : problem.code_integers) largest = std::max(largest, std::abs(integer));
  return largest;
}

void check_sizes(const ConvProblem& p) {
  // Far above any network's, and far below where a product of two of them leaves 32 bits.
  constexpr int kMostPixels = 1 << 14, kMostChannels = 1 << 16, kMostKernel = 64;
  const auto between = [](int value, int low, int high) { return low <= value && value <= high; };
  if (!between(p.height, 1, kMostPixels) || !between(p.width, 1, kMostPixels) ||
      !between(p.in, 1, kMostChannels) || !between(p.out, 1, kMostChannels) ||
      !between(p.kernel, 1, kMostKernel) || !between(p.stride, 1, kMostKernel) ||
      !between(p.padding, 0, kMostKernel))
    throw core::usage_error(
        "a convolution of {} x {} x {} codes to {} channels with a kernel of "
        "side {}, stride {} and padding {} is out of range",
        p.height, p.width, p.in, p.out, p.kernel, p.stride, p.padding);
  if (p.groups < 1 || p.in % p.groups || p.out % p.groups)
    throw core::usage_error("{} groups do not divide {} input and {} output channels", p.groups,
                            p.in, p.out);
  if (p.height + 2 * p.padding < p.kernel || p.width + 2 * p.padding < p.kernel)
    throw core::usage_error("a kernel of side {} is larger than {} x {} pixels with padding {}",
                            p.kernel, p.height, p.width, p.padding);
}

}  // namespace

void check(const ConvProblem& problem) {
  check_sizes(problem);
  const int in = problem.in / problem.groups;
  const size_t inputs = static_cast<size_t>(problem.kernel * problem.kernel) * in;
  if (problem.weights.size() != inputs * problem.out)
    throw core::usage_error("{} weights instead of {}", problem.weights.size(),
                            inputs * problem.out);
  if (problem.code_integers.empty() &&
      problem.zero_points.size() != static_cast<size_t>(problem.in))
    throw core::usage_error("{} zero points instead of {}", problem.zero_points.size(), problem.in);
  if (problem.code_integers.size() > 256)
    throw core::usage_error("{} codes do not fit a byte", problem.code_integers.size());
  std::vector<int64_t> largest(static_cast<size_t>(problem.in));
  for (int channel = 0; channel < problem.in; ++channel)
    largest[channel] = largest_integer(problem, channel);
  // Mostly the simple bound, of which each part is at its largest, says enough.
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  if (largest_sum(problem.weights, problem.out) * std::ranges::max(largest) <= kMost) return;
  const int8_t* weight = problem.weights.data();
  for (int out = 0; out < problem.out; ++out) {
    const int64_t* largest_in = &largest[out / (problem.out / problem.groups) * in];
    int64_t sum = 0;
    for (int tap = 0; tap < problem.kernel * problem.kernel; ++tap)
      for (int channel = 0; channel < in; ++channel)
        sum += std::abs(int64_t{*weight++}) * largest_in[channel];
    if (sum > kMost)
      throw core::usage_error("the sums of output channel {} may not fit 32 bits", out);
  }
}

}  // namespace lowbit::runtime
