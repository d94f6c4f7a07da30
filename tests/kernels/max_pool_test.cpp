#include "lowbit/kernels/max_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "lowbit/core/error.h"
#include "target_test.h"

namespace lowbit::kernels {
namespace {

using testing::ElementsAre;

// A window count as LibTorch has it, without `ceil`.
PoolAxis axis(int size, int kernel, int stride, int padding) {
  return {size, (size + 2 * padding - kernel) / stride + 1, kernel, stride, padding};
}

std::size_t inputs(const MaxPoolShape& shape) {
  return shape.batch * shape.height.size * shape.width.size * shape.channels;
}
std::size_t outputs(const MaxPoolShape& shape) {
  return shape.batch * shape.height.windows * shape.width.windows * shape.channels;
}

struct Pooled {
  Values y;
  std::vector<int> places;
  Values grad_x;
};

Pooled pool(const Target& target, const MaxPoolShape& shape, const Values& x,
            const Values& grad_y) {
  const Array in(target.backend, target.x, x), out_gradient(target.backend, target.x, grad_y);
  // Shows elements that were not written.
  const Array out(target.backend, target.x, Values(outputs(shape), 77));
  const Array in_gradient(target.backend, target.x, Values(inputs(shape), 77));
  const Integers bytes(target.backend, std::vector<std::int32_t>(outputs(shape) / 4 + 1, -1));
  auto* places = reinterpret_cast<std::uint8_t*>(bytes.data());
  max_pool_forward(target.backend,
                   {.x = in.input(), .y = out.output(), .places = places, .shape = shape});
  max_pool_backward(target.backend, {.grad_y = out_gradient.input(),
                                     .places = places,
                                     .grad_x = in_gradient.output(),
                                     .shape = shape});
  Pooled result{out.values(), {}, in_gradient.values()};
  const std::vector<std::int32_t> words = bytes.values();
  for (std::size_t i = 0; i < outputs(shape); ++i)
    result.places.push_back(words[i / 4] >> (i % 4 * 8) & 255);
  return result;
}

std::vector<Target> targets_of_features() {
  std::vector<Target> targets;
  for (const Target& target : all_targets())
    if (target.x == target.y &&
        !(target.backend == Backend::cuda && target.x == ScalarType::float64))
      targets.push_back(target);
  return targets;
}

class MaxPool : public TargetTest {
 protected:
  // One channel of numbers, repeated to as many channels as a vector has.
  Pooled of_one_channel(MaxPoolShape shape, const Values& x, const Values& grad_y) const {
    constexpr std::int64_t kCopies = 8;
    shape.channels = kCopies;
    const auto repeat = [](const Values& values) {
      Values all;
      for (const double value : values) all.insert(all.end(), kCopies, value);
      return all;
    };
    const auto first = [](const auto& values) {
      auto one = values;
      one.clear();
      for (std::size_t i = 0; i < values.size(); i += kCopies) one.push_back(values[i + 3]);
      return one;
    };
    const Pooled all = pool(target, shape, repeat(x), repeat(grad_y));
    return {first(all.y), first(all.places), first(all.grad_x)};
  }
};

TEST_P(MaxPool, OfEqualValuesTheFirstTakesTheGradient) {
  const MaxPoolShape shape{1, 1, axis(2, 2, 1, 0), axis(3, 2, 1, 0)};
  const Pooled pooled = of_one_channel(shape, {1, 5, 5, 5, 2, 5}, {10, 100});
  EXPECT_THAT(pooled.y, ElementsAre(5, 5));
  EXPECT_THAT(pooled.places, ElementsAre(1, 0));
  EXPECT_THAT(pooled.grad_x, ElementsAre(0, 110, 0, 0, 0, 0));
}

TEST_P(MaxPool, PaddingHoldsNoValues) {
  const MaxPoolShape shape{1, 1, axis(2, 3, 2, 1), axis(2, 3, 2, 1)};
  const Pooled pooled = of_one_channel(shape, {-4, -3, -2, -1}, {7});
  EXPECT_THAT(pooled.y, ElementsAre(-1));
  EXPECT_THAT(pooled.places, ElementsAre(8));
  EXPECT_THAT(pooled.grad_x, ElementsAre(0, 0, 0, 7));
}

TEST_P(MaxPool, TheLastNaNWins) {
  const MaxPoolShape shape{1, 1, axis(1, 1, 1, 0), axis(4, 4, 1, 0)};
  const Pooled pooled = of_one_channel(shape, {kNaN, kInfinity, kNaN, 9}, {1});
  EXPECT_THAT(pooled.y, ElementsAre(testing::IsNan()));
  EXPECT_THAT(pooled.places, ElementsAre(2));
  EXPECT_THAT(pooled.grad_x, ElementsAre(0, 0, 1, 0));
}

TEST_P(MaxPool, OfNothingButMinusInfinityTheFirstPixelIsIt) {
  const MaxPoolShape shape{1, 1, axis(2, 3, 2, 1), axis(2, 3, 2, 1)};
  const Pooled pooled = of_one_channel(shape, Values(4, -kInfinity), {3});
  EXPECT_THAT(pooled.y, ElementsAre(-kInfinity));
  EXPECT_THAT(pooled.places, ElementsAre(4));
  EXPECT_THAT(pooled.grad_x, ElementsAre(3, 0, 0, 0));
}

// Small whole numbers, whose sums no type rounds, with many ties.
TEST_P(MaxPool, EveryShapeIsThatOfThePlainLoops) {
  struct Case {
    int kernel, stride, padding, extra_windows;
  };
  for (const Case& c : {Case{3, 2, 1, 0}, Case{2, 2, 0, 0}, Case{3, 1, 1, 0}, Case{3, 2, 0, 1},
                        Case{5, 3, 2, 0}, Case{2, 3, 1, 0}, Case{1, 2, 0, 0}})
    for (const std::int64_t channels : {8, 24, 64}) {
      MaxPoolShape shape{3, channels, axis(10, c.kernel, c.stride, c.padding),
                         axis(14, c.kernel, c.stride, c.padding)};
      shape.height.windows += c.extra_windows;  // as `ceil` has them
      shape.width.windows += c.extra_windows;
      Values x = random_values(inputs(shape), -3, 3, 1), g = random_values(outputs(shape), 1, 9, 2);
      for (double& value : x) value = std::floor(value);
      for (double& value : g) value = std::floor(value);
      const Pooled pooled = pool(target, shape, x, g), expected = pool(plain, shape, x, g);
      EXPECT_EQ(pooled.y, expected.y);
      EXPECT_EQ(pooled.places, expected.places);
      EXPECT_EQ(pooled.grad_x, expected.grad_x);
    }
}

TEST_P(MaxPool, RowsOfSeveralBlocksAreThoseOfThePlainLoops) {
  const MaxPoolShape shape{9, 64, axis(6, 3, 2, 1), axis(112, 3, 2, 1)};
  Values x = random_values(inputs(shape), -3, 3, 3), g = random_values(outputs(shape), 1, 9, 4);
  for (double& value : x) value = std::floor(value);
  for (double& value : g) value = std::floor(value);
  const Pooled pooled = pool(target, shape, x, g), expected = pool(plain, shape, x, g);
  EXPECT_EQ(pooled.y, expected.y);
  EXPECT_EQ(pooled.places, expected.places);
  EXPECT_EQ(pooled.grad_x, expected.grad_x);
}

// More rows than a launch has blocks in its second and third dimension.
TEST_P(MaxPool, ManyRowsAreAllWritten) {
  const MaxPoolShape shape{70000, 8, axis(1, 1, 1, 0), axis(1, 1, 1, 0)};
  const Values x(inputs(shape), 2), g(outputs(shape), 3);
  const Pooled pooled = pool(target, shape, x, g);
  EXPECT_EQ(pooled.y, x);
  EXPECT_EQ(pooled.grad_x, g);
}

INSTANTIATE_TEST_SUITE_P(Targets, MaxPool, testing::ValuesIn(targets_of_features()),
                         [](const auto& test) { return name(test.param); });

std::string pool_error(const MaxPoolForward& args, Backend backend = Backend::cpu) {
  try {
    max_pool_forward(backend, args);
  } catch (const core::Error& error) {
    EXPECT_EQ(error.kind(), core::ErrorKind::usage);
    return error.what();
  }
  return "no error";
}

TEST(MaxPoolArguments, WrongOnesAreNamed) {
  float numbers[8] = {};
  std::uint8_t places[1] = {};
  const MaxPoolForward good{.x = {numbers},
                            .y = {numbers + 4},
                            .places = places,
                            .shape = {1, 1, axis(2, 2, 2, 0), axis(2, 2, 2, 0)}};
  EXPECT_EQ(pool_error(good), "no error");
  MaxPoolForward bad = good;
  bad.places = nullptr;
  EXPECT_EQ(pool_error(bad), "max_pool_forward: places is null");
  bad = good;
  bad.shape.width.windows = 2;
  EXPECT_EQ(pool_error(bad), "max_pool_forward: 2 windows of 2 of 2 pixels, stride 2, padding 0");
  bad = good;
  bad.shape.height = bad.shape.width = axis(16, 16, 1, 0);
  EXPECT_EQ(pool_error(bad), "max_pool_forward: a window of 16 x 16 pixels has more than 255");
  bad = good;
  bad.x.type = bad.y.type = ScalarType::float16;
  EXPECT_EQ(pool_error(bad), "max_pool_forward: no CPU kernel takes float16");
  EXPECT_EQ(pool_error(bad, Backend::cuda),
            "max_pool_forward: 1 channels of float16 are not a multiple of 8");
}

}  // namespace
}  // namespace lowbit::kernels
