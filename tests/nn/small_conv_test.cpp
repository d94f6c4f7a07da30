#include "lowbit/nn/small_conv.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/cuda.h>

#include "lowbit/kernels/convolution.h"
#include "lowbit/nn/fused_passes.h"

namespace lowbit::nn {
namespace {

using torch::Tensor;

constexpr auto kLast = torch::MemoryFormat::ChannelsLast;

ConvSteps steps_of(int64_t kernel, int64_t stride) {
  return {{stride, stride}, {kernel / 2, kernel / 2}, {1, 1}};
}

Tensor leaf(const Tensor& x) {
  return x.detach().requires_grad_();
}

TEST(SmallConv, OnACpu_ThereIsNone) {
  const Tensor x = torch::ones({2, 16, 8, 8}, torch::kFloat16).contiguous(kLast);
  EXPECT_FALSE(small_conv(x, torch::ones({16, 16, 3, 3}, torch::kFloat16), {}, steps_of(3, 1)));
}

class SmallConvOnGpu : public testing::TestWithParam<torch::ScalarType> {
 protected:
  void SetUp() override {
    if (!torch::cuda::is_available() || !kernels::has_convolution({6, 8, 8, 16, 16, 3, 1}))
      GTEST_SKIP() << "no GPU of this machine has it";
  }
  Tensor random(torch::IntArrayRef sizes) const {
    return torch::randn(sizes, torch::kCUDA).to(GetParam()).contiguous(kLast);
  }
  double tolerance() const { return GetParam() == torch::kFloat16 ? 1e-3 : 8e-3; }
};

double relative_error(const Tensor& a, const Tensor& b) {
  return ((a.to(torch::kFloat64) - b).norm() / b.norm()).item<double>();
}

TEST_P(SmallConvOnGpu, ValuesAndGradients_AreThoseOfConv2d) {
  struct Case {
    int64_t in, out, kernel, stride;
  };
  for (const Case& c : {Case{16, 16, 3, 1}, Case{16, 32, 3, 2}, Case{64, 64, 3, 1},
                        Case{32, 64, 1, 2}, Case{3, 16, 3, 1}}) {
    const Tensor data = random({6, c.in, 8, 8});
    const Tensor x = c.in == 3 ? data : leaf(data);
    const Tensor weight = leaf(random({c.out, c.in, c.kernel, c.kernel}));
    const ConvSteps steps = steps_of(c.kernel, c.stride);
    const auto y = small_conv(x, weight, {}, steps);
    ASSERT_TRUE(y) << c.in;
    const Tensor grad_y = random(y->sizes());
    const Tensor wide_x = leaf(x.to(torch::kFloat64)), wide = leaf(weight.to(torch::kFloat64));
    const Tensor expected = torch::conv2d(wide_x, wide, {}, steps.stride, steps.padding);
    EXPECT_LT(relative_error(*y, expected.detach()), tolerance());
    const auto gradients =
        torch::autograd::grad({expected}, {wide_x, wide}, {grad_y.to(torch::kFloat64)});
    y->backward(grad_y);
    EXPECT_LT(relative_error(weight.grad(), gradients[1]), tolerance());
    if (x.requires_grad()) {
      EXPECT_LT(relative_error(x.grad(), gradients[0]), tolerance());
    }
  }
}

TEST_P(SmallConvOnGpu, WhatNoKernelTakes_IsLeftAlone) {
  const Tensor x = random({2, 16, 8, 8}), weight = random({16, 16, 3, 3});
  ASSERT_TRUE(small_conv(x, weight, {}, steps_of(3, 1)));
  EXPECT_FALSE(small_conv(x, weight, random({16, 1, 1, 1}).flatten(), steps_of(3, 1)));
  EXPECT_FALSE(small_conv(x.contiguous(), weight, {}, steps_of(3, 1)));
  EXPECT_FALSE(small_conv(x.to(torch::kFloat32), weight.to(torch::kFloat32), {}, steps_of(3, 1)));
  EXPECT_FALSE(small_conv(x, weight, {}, steps_of(1, 1)));
  EXPECT_FALSE(small_conv(leaf(random({2, 3, 8, 8})), random({16, 3, 3, 3}), {}, steps_of(3, 1)));
  use_fused_passes(FusedPasses::never);
  EXPECT_FALSE(small_conv(x, weight, {}, steps_of(3, 1)));
  use_fused_passes(FusedPasses::on_gpu);
}

INSTANTIATE_TEST_SUITE_P(Types, SmallConvOnGpu, testing::Values(torch::kFloat16, torch::kBFloat16),
                         [](const auto& test) {
                           return test.param == torch::kFloat16 ? "float16" : "bfloat16";
                         });

}  // namespace
}  // namespace lowbit::nn
