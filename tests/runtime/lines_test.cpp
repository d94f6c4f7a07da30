// Codes by lines against the count of thresholds: at all sums, and at the reals next to thresholds.
#include "lowbit/runtime/lines.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "lowbit/runtime/vector_functions.h"
#include "programs.h"

namespace lowbit::runtime {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr size_t kBeyond = 64 / sizeof(float);  // as ElementwiseCall asks for

template <class T>
uint8_t count(const std::vector<T>& thresholds, T x) {
  return static_cast<uint8_t>(
      std::ranges::count_if(thresholds, [&](T threshold) { return threshold <= x; }));
}

// A quantizer of sums: where a * sum + b reaches 1, 2, ... `steps`.
struct OfSums {
  std::vector<int32_t> thresholds;
  bool falls;

  OfSums(double a, double b, int steps, int64_t most) : falls(a < 0) {
    for (int code = 1; code <= steps; ++code) {
      // Of a falling one the sum at which it gets below.
      const double at = falls ? std::floor((code - b) / a) + 1 : std::ceil((code - b) / a);
      thresholds.push_back(static_cast<int32_t>(
          std::clamp(at, static_cast<double>(-most), static_cast<double>(most + 1))));
    }
    std::ranges::sort(thresholds);
  }
  uint8_t code(int32_t sum) const {
    const uint8_t reached = count(thresholds, sum);
    return falls ? static_cast<uint8_t>(thresholds.size() - reached) : reached;
  }
};

// The codes of each sum in every channel, by the lines: on all instruction sets those that `code`
// says.
void expect_codes_of(const std::vector<OfSums>& channels, int64_t most,
                     const std::vector<int32_t>& sums) {
  const size_t count = channels.size(), steps = channels.front().thresholds.size();
  std::vector<float> factors, shifts;
  for (const OfSums& channel : channels) {
    const std::optional<Lines> line = line_of_sums(channel.thresholds, channel.falls, most);
    ASSERT_TRUE(line) << "channel " << factors.size();
    EXPECT_EQ(line->width, 0);
    factors.push_back(line->factor);
    shifts.push_back(line->shift);
  }
  factors.resize(count + kBeyond);
  shifts.resize(count + kBeyond);
  std::vector<int32_t> in;
  std::vector<uint8_t> expected;
  for (const int32_t sum : sums)
    for (const OfSums& channel : channels) {
      in.push_back(sum);
      expected.push_back(channel.code(sum));
    }
  ElementwiseCall call;
  call.in = in.data();
  call.pixels = sums.size();
  call.channels = call.all_channels = count;
  call.a = factors.data();
  call.b = shifts.data();
  call.high = static_cast<float>(steps);
  for (const InstructionSet& isa : isas()) {
    std::vector<uint8_t> codes(in.size(), 255);
    call.out = codes.data();
    isa.functions->of(ElementwiseOperation::line_of_sums)(call);
    EXPECT_EQ(codes, expected) << isa.name;
  }
}

std::vector<int32_t> all_sums(int32_t most) {
  std::vector<int32_t> sums;
  for (int32_t sum = -most; sum <= most; ++sum) sums.push_back(sum);
  return sums;
}

TEST(LineOfSums, HasTheCodesOfEachSumForRandomChannels) {
  constexpr int32_t kMost = 700;
  for (const size_t count : {1, 5, 8, 16, 37})
    for (const int steps : {3, 15, 255}) {
      SCOPED_TRACE(testing::Message() << count << " channels, " << steps << " thresholds");
      Draw draw(static_cast<uint32_t>(count) + static_cast<uint32_t>(steps));
      std::vector<OfSums> channels;
      while (channels.size() < count) {
        const float slope = std::exp2(draw.real(-8, 3)) * static_cast<float>(steps) / kMost;
        channels.emplace_back(draw.chance(0.5) ? slope : -slope, draw.real(-1, 1) * 2 * steps,
                              steps, kMost);
      }
      expect_codes_of(channels, kMost, all_sums(kMost));
    }
}

TEST(LineOfSums, HasThoseOfThresholdsThatNoSumReachesOrAllDo) {
  constexpr int32_t kMost = 100;
  const std::vector<OfSums> channels = {
      {0.01, 0.5, 15, kMost},    // the first threshold alone
      {0.01, 15, 15, kMost},     // the last
      {1e-6, 7.5, 15, kMost},    // none, between two codes
      {-1e-6, 7.5, 15, kMost},   // the same falling
      {1e-6, -20, 15, kMost},    // always the first code
      {1e-6, 20, 15, kMost},     // always the last
      {1000, 0.5, 15, kMost},    // from the first code to the last at once
      {-1000, 0.5, 15, kMost},   // and back
      {0.07, 7, 15, kMost},      // all
      {-0.01, 14.5, 15, kMost},  // the last threshold of a falling one
  };
  expect_codes_of(channels, kMost, all_sums(kMost));
}

TEST(LineOfSums, HasThoseOfSumsThatFloatsRound) {
  // Of integers from 2^24 on float32 has the even ones: an odd one becomes that of its neighbors
  // which 4 divides.
  constexpr int64_t kMost = int64_t{1} << 26;
  OfSums even(0, 0, 15, kMost), odd = even;
  std::vector<int32_t> sums = {static_cast<int32_t>(-kMost), 0, static_cast<int32_t>(kMost)};
  for (int i = 0; i < 15; ++i) {
    const auto step = static_cast<size_t>(i);
    even.thresholds[step] = (1 << 24) + 2 + (i << 20);
    odd.thresholds[step] = (1 << 24) + 1 + (i << 20);
    for (int near = -40; near <= 40; ++near) sums.push_back(even.thresholds[step] + near);
  }
  expect_codes_of({even}, kMost, sums);
  // 2^24 + 1 and what is below it are one float: nothing that sees that float can tell them.
  EXPECT_FALSE(line_of_sums(odd.thresholds, false, kMost));
}

TEST(LineOfSums, IsNotThereForUnevenThresholds) {
  EXPECT_TRUE(line_of_sums(std::vector{0, 10, 20, 30}, false, 1000));
  EXPECT_FALSE(line_of_sums(std::vector{0, 10, 20, 33}, false, 1000));
  EXPECT_FALSE(line_of_sums(std::vector{0, 10, 10, 20}, true, 1000));
  // One sum beside its place, between two lengths of steps that fit.
  EXPECT_TRUE(line_of_sums(std::vector{0, 1000, 2001, 3001}, false, 9000));
  EXPECT_FALSE(line_of_sums(std::vector{0, 1000, 2003, 3000}, false, 9000));
}

// ---- reals ----

// Numbers at, next to and far from thresholds, and none at all.
std::vector<float> numbers_near(const std::vector<float>& thresholds) {
  std::vector<float> numbers = {0,
                                -0.0f,
                                kInfinity,
                                -kInfinity,
                                std::numeric_limits<float>::max(),
                                -std::numeric_limits<float>::max(),
                                std::numeric_limits<float>::denorm_min(),
                                -std::numeric_limits<float>::denorm_min(),
                                std::numeric_limits<float>::quiet_NaN()};
  for (const float threshold : thresholds) {
    float below = threshold, above = threshold;
    for (int i = 0; i < 12; ++i) {
      numbers.push_back(below);
      numbers.push_back(above);
      below = std::nextafter(below, -kInfinity);
      above = std::nextafter(above, kInfinity);
    }
    numbers.push_back(threshold + 0.4f * (thresholds[1] - thresholds[0]));
  }
  return numbers;
}

// By the lines of each group, of a part of all channels, too, the codes are the counts of its
// thresholds.
void expect_codes_of(const std::vector<std::vector<float>>& groups, size_t group_channels) {
  const size_t steps = groups.front().size(), all = groups.size() * group_channels;
  std::vector<float> factors, shifts, thresholds;
  float width = 0;
  for (const std::vector<float>& group : groups) {
    const std::optional<Lines> lines = lines_of_reals(group);
    ASSERT_TRUE(lines);
    factors.insert(factors.end(), group_channels, lines->factor);
    shifts.insert(shifts.end(), group_channels, lines->shift);
    width = std::max(width, lines->width);
    thresholds.insert(thresholds.end(), group.begin(), group.end());
  }
  EXPECT_LT(width, 0.01f) << "far too many numbers are between the lines";
  factors.resize(all + kBeyond);
  shifts.resize(all + kBeyond);
  for (const size_t first : {size_t{0}, all / 3}) {
    const size_t channels = all - first;
    std::vector<float> in;
    std::vector<uint8_t> expected;
    for (const std::vector<float>& of : groups)
      for (const float x : numbers_near(of))
        for (size_t c = first; c < all; ++c) {
          in.push_back(x);
          expected.push_back(count(groups[c / group_channels], x));
        }
    ElementwiseCall call;
    call.in = in.data();
    call.pixels = in.size() / channels;
    call.channels = channels;
    call.first_channel = first;
    call.all_channels = all;
    call.group_channels = group_channels;
    call.a = factors.data();
    call.b = shifts.data();
    call.low = width;
    call.high = static_cast<float>(steps);
    call.numbers = thresholds.data();
    call.steps = steps;
    for (const InstructionSet& isa : isas()) {
      std::vector<uint8_t> codes(in.size(), 255);
      call.out = codes.data();
      isa.functions->of(ElementwiseOperation::between_lines)(call);
      EXPECT_EQ(codes, expected) << isa.name << ", from channel " << first;
    }
  }
}

std::vector<float> middles(int steps, float step, float zero) {
  std::vector<float> thresholds;
  for (int code = 1; code <= steps; ++code)
    thresholds.push_back((static_cast<float>(code) - 0.5f - zero) * step);
  return thresholds;
}

TEST(LinesOfReals, HaveTheCodesOfNumbersNextToThresholds) {
  Draw draw(3);
  for (const int steps : {8, 15, 255})
    for (const size_t group_channels : {1, 19}) {
      SCOPED_TRACE(testing::Message() << steps << " thresholds, groups of " << group_channels);
      std::vector<std::vector<float>> groups;
      for (const float zero : {0.0f, 3.0f, 8.0f})
        groups.push_back(middles(steps, std::exp2(draw.real(-20, 20)), zero));
      expect_codes_of(groups, group_channels);
    }
}

TEST(LinesOfReals, HaveThoseOfThresholdsALittleBesideTheirPlaces) {
  Draw draw(4);
  std::vector<float> thresholds = middles(15, 1, 0);
  for (float& threshold : thresholds) threshold += draw.real(-0x1p-12f, 0x1p-12f);
  expect_codes_of({thresholds}, 37);
}

TEST(LinesOfReals, AreNotThereForUnevenEqualOrInfiniteThresholds) {
  const std::vector<float> even = middles(15, 0.3f, 0);
  ASSERT_TRUE(lines_of_reals(even));
  std::vector<float> uneven = even, equal = even, first = even, last = even;
  uneven[7] += 0.01f;
  equal[7] = equal[8];
  first.front() = -kInfinity;
  last.back() = kInfinity;
  for (const auto& thresholds : {uneven, equal, first, last})
    EXPECT_FALSE(lines_of_reals(thresholds));
}

}  // namespace
}  // namespace lowbit::runtime
