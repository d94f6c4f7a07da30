#include "lowbit/kernels/convolution.h"

#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "lowbit/core/error.h"
#include "target_test.h"

namespace lowbit::kernels {
namespace {

std::size_t numbers_of_x(const ConvolutionShape& s) {
  return s.batch * s.height * s.width * s.in;
}
std::size_t numbers_of_y(const ConvolutionShape& s) {
  return s.batch * s.out_height() * s.out_width() * s.out;
}
std::size_t numbers_of_weight(const ConvolutionShape& s) {
  return s.out * s.kernel * s.kernel * s.in;
}

// body(place in x, in y, in the weight) for every product.
template <class Body>
void for_each_product(const ConvolutionShape& s, const Body& body) {
  const std::int64_t padding = s.kernel / 2;
  for (std::int64_t n = 0; n < s.batch; ++n)
    for (std::int64_t row = 0; row < s.out_height(); ++row)
      for (std::int64_t column = 0; column < s.out_width(); ++column)
        for (std::int64_t k = 0; k < s.kernel * s.kernel; ++k) {
          const std::int64_t h = row * s.stride + k / s.kernel - padding;
          const std::int64_t w = column * s.stride + k % s.kernel - padding;
          if (h < 0 || h >= s.height || w < 0 || w >= s.width) continue;
          const std::int64_t x = ((n * s.height + h) * s.width + w) * s.in;
          const std::int64_t y = ((n * s.out_height() + row) * s.out_width() + column) * s.out;
          for (std::int64_t o = 0; o < s.out; ++o)
            for (std::int64_t i = 0; i < s.in; ++i)
              body(x + i, y + o, (o * s.kernel * s.kernel + k) * s.in + i);
        }
}

// A sum of products, and of their absolute values.
struct Sums {
  explicit Sums(std::size_t size) : sum(size), absolute(size) {}
  void add(std::size_t i, double product) {
    sum[i] += product;
    absolute[i] += std::abs(product);
  }
  Values sum, absolute;
};

struct Inputs {
  Values x, weight, grad_y;
};

Inputs inputs(ScalarType type, const ConvolutionShape& s) {
  return {rounded(type, random_values(numbers_of_x(s), -2, 2, 1)),
          rounded(type, random_values(numbers_of_weight(s), -1, 1, 2)),
          rounded(type, random_values(numbers_of_y(s), -1, 1, 3))};
}

struct Outputs {
  Values y, grad_x, grad_weight;
  bool operator==(const Outputs&) const = default;
};

Outputs run(ScalarType type, const ConvolutionShape& s, const Inputs& in) {
  const auto array = [&](const Values& values) { return Array(Backend::cuda, type, values); };
  // Shows elements that were not written.
  const auto unwritten = [&](std::size_t size) { return array(Values(size, kNaN)); };
  const Array x = array(in.x), weight = array(in.weight), grad_y = array(in.grad_y);
  const Array y = unwritten(in.grad_y.size()), grad_x = unwritten(in.x.size()),
              grad_weight = unwritten(in.weight.size());
  convolution_forward({.x = x.input(), .weight = weight.input(), .y = y.output(), .shape = s},
                      nullptr);
  const Array workspace(Backend::cuda, ScalarType::float32,
                        Values(convolution_workspace_bytes(s) / 4, kNaN));
  convolution_backward({.grad_y = grad_y.input(),
                        .x = x.input(),
                        .weight = weight.input(),
                        .grad_x = s.in == 3 ? Output{} : grad_x.output(),
                        .grad_weight = grad_weight.output(),
                        .workspace = workspace.data(),
                        .shape = s},
                       nullptr);
  return {y.values(), s.in == 3 ? Values{} : grad_x.values(), grad_weight.values()};
}

// The result is rounded once, where it is small to a multiple of 2^-24. The sum in front of that is
// off by at most 2^-16 of the sum of absolute values: some fifty additions in float32, which tensor
// cores cut off, follow one another.
void expect_near(ScalarType type, const Values& values, const Sums& expected) {
  ASSERT_EQ(values.size(), expected.sum.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double bound = rounding(type) * std::abs(expected.sum[i]) +
                         std::ldexp(expected.absolute[i], -16) + std::ldexp(1, -24);
    ASSERT_LE(std::abs(values[i] - expected.sum[i]), bound) << "number " << i;
  }
}

class Convolution : public testing::TestWithParam<std::tuple<ScalarType, ConvolutionShape>> {
 protected:
  void SetUp() override {
    if (!available({Backend::cuda, type, type}) || !has_convolution(shape))
      GTEST_SKIP() << "no GPU of this machine has it";
  }
  const ScalarType type = std::get<0>(GetParam());
  const ConvolutionShape shape = std::get<1>(GetParam());
};

TEST_P(Convolution, EveryShape_IsNearTheSumsInFloat64) {
  const Inputs in = inputs(type, shape);
  Sums y(in.grad_y.size()), grad_x(in.x.size()), grad_weight(in.weight.size());
  for_each_product(shape, [&](std::size_t i, std::size_t o, std::size_t w) {
    y.add(o, in.x[i] * in.weight[w]);
    grad_x.add(i, in.grad_y[o] * in.weight[w]);
    grad_weight.add(w, in.grad_y[o] * in.x[i]);
  });
  const Outputs out = run(type, shape, in);
  expect_near(type, out.y, y);
  if (shape.in != 3) expect_near(type, out.grad_x, grad_x);
  expect_near(type, out.grad_weight, grad_weight);
}

TEST_P(Convolution, TheSameNumbers_GiveTheSameBits) {
  const Inputs in = inputs(type, shape);
  EXPECT_EQ(run(type, shape, in), run(type, shape, in));
}

constexpr ConvolutionShape kShapes[] = {
    {2, 32, 32, 3, 16, 3, 1},    // an image
    {3, 9, 12, 3, 64, 3, 2},     // with rows that are no power of two
    {2, 32, 32, 16, 16, 3, 1},   // a part of an image in a tile
    {5, 8, 8, 64, 64, 3, 1},     // several images in a tile
    {70, 32, 32, 16, 16, 3, 1},  // more tiles than blocks
    {2, 16, 16, 16, 32, 3, 2},  {3, 7, 9, 32, 64, 3, 2},   {3, 7, 9, 64, 16, 3, 1},
    {2, 1, 1, 32, 32, 3, 1},    {2, 16, 16, 32, 64, 1, 2}, {3, 5, 11, 32, 16, 1, 2},
    {3, 5, 11, 64, 32, 1, 1},
};

INSTANTIATE_TEST_SUITE_P(Shapes, Convolution,
                         testing::Combine(testing::Values(ScalarType::float16,
                                                          ScalarType::bfloat16),
                                          testing::ValuesIn(kShapes)));

TEST(ConvolutionKernels, OtherShapes_HaveNone) {
  const ConvolutionShape good{2, 8, 8, 16, 32, 3, 1};
  const bool gpu =
      available({Backend::cuda, ScalarType::float16, ScalarType::float16}) && has_convolution(good);
  if (!gpu) GTEST_SKIP() << "no GPU of this machine has them";
  const auto with = [&](auto change) {
    ConvolutionShape shape = good;
    change(shape);
    return has_convolution(shape);
  };
  EXPECT_FALSE(with([](auto& s) { s.in = 24; }));
  EXPECT_FALSE(with([](auto& s) { s.out = 128; }));
  EXPECT_FALSE(with([](auto& s) { s.kernel = 5; }));
  EXPECT_FALSE(with([](auto& s) { s.stride = 3; }));
  EXPECT_FALSE(with([](auto& s) { s.width = 65; }));
  EXPECT_FALSE(with([](auto& s) { s.in = 3, s.kernel = 1; }));
  EXPECT_FALSE(with([](auto& s) { s.batch = 1 << 24; }));
  EXPECT_FALSE(with([](auto& s) { s.out = 64, s.batch = 1 << 12; }));
}

std::string forward_error(const ConvolutionForward& args) {
  try {
    convolution_forward(args, nullptr);
  } catch (const core::Error& error) {
    EXPECT_EQ(error.kind(), core::ErrorKind::usage);
    return error.what();
  }
  return "no error";
}

TEST(ConvolutionArguments, WrongOnes_AreNamed) {
  std::uint16_t numbers[1] = {};
  const Input in{numbers, ScalarType::float16};
  const ConvolutionForward wide{
      .x = in, .weight = in, .y = {numbers, ScalarType::float16}, .shape = {2, 8, 6, 16, 24, 3, 1}};
  EXPECT_EQ(forward_error(wide),
            "convolution_forward: no kernel of this device takes 2 images of 8 x 6 x 16, 24 "
            "channels of y, 3 x 3 places and stride 1");
  ConvolutionForward bad = wide;
  bad.weight.data = nullptr;
  EXPECT_EQ(forward_error(bad), "convolution_forward: weight is null");
  bad = wide;
  bad.x.type = ScalarType::float32;
  EXPECT_EQ(forward_error(bad), "convolution_forward: takes float16 and bfloat16 alone");
}

}  // namespace
}  // namespace lowbit::kernels
