// Passes that do several operations at once, against the operations one by one: on the CPU by plain
// loops, on a GPU by its kernels.
#include "lowbit/nn/fused_passes.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/cuda.h>

#include "lowbit/nn/activation.h"
#include "lowbit/nn/deferred.h"
#include "lowbit/nn/max_pool.h"
#include "lowbit/nn/norm.h"
#include "lowbit/nn/quant_conv.h"
#include "quant/helpers.h"

#ifdef LOWBIT_CUDA
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

namespace lowbit::nn {
namespace {

using config::Method;
using torch::Tensor;

struct Place {
  torch::Device device;
  torch::ScalarType type;

  torch::ScalarType parameters() const {
    return type == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
  }
  // Of one rounding.
  double rounding() const {
    if (type == torch::kFloat64) return 1e-15;
    return type == torch::kFloat32 ? 6e-8 : type == torch::kFloat16 ? 5e-4 : 4e-3;
  }
};

class FusedPass : public testing::TestWithParam<Place> {
 protected:
  void SetUp() override {
    if (place.device.is_cuda() && !torch::cuda::is_available())
      GTEST_SKIP() << "no GPU on this machine";
    use_fused_passes(FusedPasses::everywhere);
    torch::manual_seed(1);
  }
  void TearDown() override { use_fused_passes(FusedPasses::on_gpu); }

  // Channels-last numbers around 0.
  Tensor features(int64_t batch, int64_t channels, int64_t height, int64_t width) const {
    return torch::randn({batch, channels, height, width}, torch::kFloat64)
        .to(place.device, place.type)
        .contiguous(torch::MemoryFormat::ChannelsLast);
  }
  Tensor leaf(const Tensor& x) const { return x.detach().clone().set_requires_grad(true); }

  std::shared_ptr<BatchNorm> norm(int64_t channels) const {
    auto norm = std::make_shared<BatchNorm>(channels, config::Norm::batch);
    {
      const torch::NoGradGuard no_grad;
      norm->weight().copy_(torch::linspace(0.5, 2, channels));
      norm->named_parameters()["bias"].copy_(torch::linspace(-1, 1, channels));
    }
    norm->to(place.device, place.parameters());
    return norm;
  }

  const Place& place = GetParam();
};

double largest_difference(const Tensor& a, const Tensor& b) {
  const Tensor wide_a = a.to(torch::kFloat64), wide_b = b.to(torch::kFloat64);
  return ((wide_a - wide_b).abs().max() / wide_b.abs().max()).item<double>();
}

TEST_P(FusedPass, MaxPoolIsLibTorchs) {
  struct Case {
    PoolWindows windows;
    int64_t height, width;
  };
  for (const Case& c : {Case{{3, 2, 1}, 12, 9}, Case{{3, 2, 0, true}, 12, 9}, Case{{2, 2, 0}, 7, 8},
                        Case{{3, 1, 1}, 5, 6}, Case{{3, 3, 1, true}, 11, 10}}) {
    // Whole numbers, with ties everywhere; some are no numbers.
    Tensor x = (features(3, 16, c.height, c.width) * 2).round();
    x.masked_fill_(torch::rand_like(x, torch::kFloat32) < 0.02, std::nan(""));
    x.masked_fill_(torch::rand_like(x, torch::kFloat32) < 0.1, -INFINITY);
    x = x.contiguous(torch::MemoryFormat::ChannelsLast);
    const Tensor a = leaf(x), b = leaf(x);
    const Tensor y = max_pool(a, c.windows);
    const Tensor expected = torch::max_pool2d(b, c.windows.size, c.windows.stride,
                                              c.windows.padding, 1, c.windows.ceil);
    ASSERT_TRUE(y.is_contiguous(torch::MemoryFormat::ChannelsLast));
    EXPECT_TRUE(torch::allclose(y, expected, 0, 0, /*equal_nan=*/true));
    const Tensor upstream = (features(3, 16, y.size(2), y.size(3)) * 4).round();
    const Tensor gradient = torch::autograd::grad({y}, {a}, {upstream})[0];
    EXPECT_TRUE(torch::equal(gradient, torch::autograd::grad({expected}, {b}, {upstream})[0]));
  }
}

TEST_P(FusedPass, MaxPoolLeavesOtherFeaturesToLibTorch) {
  const Tensor x = features(2, 16, 6, 6).contiguous().set_requires_grad(true);
  const Tensor y = max_pool(x, {3, 2, 1});
  EXPECT_TRUE(y.is_contiguous());
  EXPECT_NE(y.grad_fn()->name().find("MaxPool2D"), std::string::npos) << y.grad_fn()->name();
}

TEST_P(FusedPass, NormIsLibTorchsToRounding) {
  for (const int64_t channels : {8, 24, 64}) {
    const Tensor x = features(4, channels, 7, 9) * 3 + 1;
    const Tensor upstream = features(4, channels, 7, 9);
    const auto ours = norm(channels), theirs = norm(channels);
    const Tensor a = leaf(x), b = leaf(x.to(torch::kFloat64));
    theirs->to(torch::kFloat64);
    const Tensor y = ours->forward(a);
    EXPECT_EQ(y.scalar_type(), place.type);
    use_fused_passes(FusedPasses::never);
    const Tensor expected = theirs->forward(b);
    use_fused_passes(FusedPasses::everywhere);
    EXPECT_LT(largest_difference(y, expected),
              3 * place.rounding() + 1e-6 * (place.rounding() > 1e-12));
    const auto parameters = ours->parameters(), their_parameters = theirs->parameters();
    const auto gradients =
        torch::autograd::grad({y}, {a, parameters[0], parameters[1]}, {upstream});
    const auto expected_gradients = torch::autograd::grad(
        {expected}, {b, their_parameters[0], their_parameters[1]}, {upstream.to(torch::kFloat64)});
    const double sums = place.type == torch::kFloat64 ? 1e-12 : 1e-5;
    EXPECT_LT(largest_difference(gradients[0], expected_gradients[0]), 3 * place.rounding() + sums);
    EXPECT_LT(largest_difference(gradients[1], expected_gradients[1]), sums);
    EXPECT_LT(largest_difference(gradients[2], expected_gradients[2]), sums);
    for (const char* name : {"running_mean", "running_var"})
      EXPECT_LT(largest_difference(ours->named_buffers()[name], theirs->named_buffers()[name]),
                sums);
  }
}

// y = activation(norm(x) + skip) at once and one by one: the same bits.
TEST_P(FusedPass, NormSkipAndActivationHaveTheBitsOfTheParts) {
  for (const auto kind : {config::Activation::relu, config::Activation::relu6})
    for (const bool skips : {false, true}) {
      const Tensor x = features(4, 40, 6, 5), upstream = features(4, 40, 6, 5);
      const Tensor skip = features(4, 40, 6, 5) * 3;
      const LayerPtr activation = make_activation(kind);
      const auto run = [&](bool at_once) {
        const auto bn = norm(40);
        const Tensor in = leaf(x), other = leaf(skip);
        Tensor y;
        if (at_once) {
          Deferred features(in);
          features.pass_through(*bn);
          if (skips) features.add(other);
          features.pass_through(*activation);
          y = features.tensor();
        } else {
          y = bn->forward(in);
          if (skips) y = y + other;
          y = activation->forward(y);
        }
        std::vector<Tensor> inputs = {in, bn->parameters()[0], bn->parameters()[1]};
        if (skips) inputs.push_back(other);
        std::vector<Tensor> all = torch::autograd::grad({y}, inputs, {upstream});
        all.push_back(y);
        all.push_back(bn->named_buffers()["running_var"]);
        return all;
      };
      const auto fused = run(true), parts = run(false);
      for (size_t i = 0; i < fused.size(); ++i)
        EXPECT_TRUE(torch::equal(fused[i], parts[i])) << skips << " " << i;
    }
}

TEST_P(FusedPass, NormAloneBeforeASumGivesThePlainSum) {
  const Tensor x = features(2, 16, 4, 4), skip = features(2, 16, 4, 4);
  const auto bn = norm(16);
  Deferred y(x);
  y.pass_through(*bn);
  y.add(skip);
  EXPECT_TRUE(torch::equal(y.tensor(), norm(16)->forward(x) + skip));
}

// The convolution's input is quantized in the norm's pass.
TEST_P(FusedPass, QuantizerBehindANormHasTheBitsOfTheParts) {
  for (const Method method : {Method::lsq, Method::dorefa, Method::pact})
    for (const bool activates : {true, false}) {
      config::ModelOptions options;
      options.fm = quant::options(method, 4, /*half_range=*/true);
      options.fm.boundary = 1.25;
      torch::manual_seed(3);
      QuantConv2d conv({.in = 24, .out = 8, .kernel = 3, .padding = 1}, options);
      conv.to(place.device, place.parameters());
      conv.use_channels_last();
      ASSERT_TRUE(conv.input_form()) << static_cast<int>(method);
      const Tensor x = features(4, 24, 6, 5), upstream = features(4, 8, 6, 5);
      const LayerPtr relu = make_activation(config::Activation::relu);
      const auto run = [&](bool at_once) {
        const auto bn = norm(24);
        const Tensor in = leaf(x);
        Tensor y;
        if (at_once) {
          Deferred features(in);
          features.pass_through(*bn);
          if (activates) features.pass_through(*relu);
          features.pass_through(conv);
          y = features.tensor();
        } else {
          y = bn->forward(in);
          if (activates) y = relu->forward(y);
          y = conv.forward(y);
        }
        std::vector<Tensor> inputs = {in, bn->parameters()[0], bn->parameters()[1]};
        const auto parameters = conv.named_parameters();
        if (const Tensor* clip = parameters.find("quant_activation.clip_val"))
          inputs.push_back(*clip);
        std::vector<Tensor> all = torch::autograd::grad({y}, inputs, {upstream});
        all.insert(all.begin(), y);
        return all;
      };
      const auto fused = run(true), parts = run(false);
      ASSERT_EQ(fused.size(), method == Method::dorefa ? 4 : 5);
      for (size_t i = 0; i < 4; ++i) {
        EXPECT_TRUE(torch::equal(fused[i], parts[i])) << static_cast<int>(method) << " " << i;
      }
      // The order of a sum of doubles, of which each block has rounded terms.
      if (fused.size() > 4) {
        EXPECT_LT(largest_difference(fused[4], parts[4]), 1e-5);
      }
    }
}

TEST_P(FusedPass, LayersThatAreWatchedRunByThemselves) {
  int seen = 0;
  const Layer::Probe count = [&seen](const Layer&, const Tensor&, const Tensor&) { ++seen; };
  const auto bn = norm(16);
  const LayerPtr relu = make_activation(config::Activation::relu);
  bn->set_probe(&count);
  relu->set_probe(&count);
  Deferred y(features(2, 16, 4, 4));
  y.pass_through(*bn);
  y.pass_through(*relu);
  y.tensor();
  EXPECT_EQ(seen, 2);
}

#ifdef LOWBIT_CUDA
TEST_P(FusedPass, ReplaysOfAGraphHaveTheBitsOfTheEagerPass) {
  if (!place.device.is_cuda()) GTEST_SKIP() << "graphs are of a GPU";
  const c10::cuda::CUDAStreamGuard stream(c10::cuda::getStreamFromPool());
  config::ModelOptions options;
  options.fm = quant::options(Method::lsq, 4, true);
  QuantConv2d conv({.in = 16, .out = 16, .kernel = 3, .padding = 1}, options);
  conv.to(place.device, place.parameters());
  conv.use_channels_last();
  const auto bn = norm(16), other = norm(16);
  const LayerPtr relu = make_activation(config::Activation::relu);
  const Tensor x = leaf(features(4, 16, 12, 12)), upstream = features(4, 16, 6, 6);
  const auto step = [&] {
    Deferred y(x);
    y.pass_through(*bn);
    y.pass_through(*relu);
    y.pass_through(conv);
    y.pass_through(*other);
    y.add(x);
    y.pass_through(*relu);
    const Tensor pooled = max_pool(y.tensor(), {3, 2, 1});
    return torch::autograd::grad({pooled}, {x, bn->weight(), other->weight()}, {upstream});
  };
  const auto eager = step();
  step();
  at::cuda::CUDAGraph graph;
  graph.capture_begin();
  const auto captured = step();
  graph.capture_end();
  for (int i = 0; i < 3; ++i) graph.replay();
  // cuDNN's gradients of the convolution, which ours depend on, may be added in another order.
  for (size_t i = 0; i < eager.size(); ++i)
    EXPECT_LT(largest_difference(captured[i], eager[i]), 8 * place.rounding() + 1e-5) << i;
  // Before it there is nothing but our own.
  EXPECT_TRUE(torch::equal(captured[2], eager[2]));
}
#endif

INSTANTIATE_TEST_SUITE_P(Places, FusedPass,
                         testing::Values(Place{torch::kCPU, torch::kFloat64},
                                         Place{torch::kCPU, torch::kFloat32},
                                         Place{torch::kCUDA, torch::kFloat32},
                                         Place{torch::kCUDA, torch::kFloat16},
                                         Place{torch::kCUDA, torch::kBFloat16}),
                         [](const auto& test) {
                           return std::string(test.param.device.is_cuda() ? "cuda_" : "cpu_") +
                                  torch::toString(test.param.type);
                         });

}  // namespace
}  // namespace lowbit::nn
