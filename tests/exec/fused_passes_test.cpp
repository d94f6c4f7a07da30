// Passes that do several operations at once, against the operations one by one: on the CPU by plain
// loops, on a GPU by its kernels.
#include "lowbit/nn/fused_passes.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/cuda.h>

#include "layers.h"
#include "lowbit/nn/max_pool.h"
#include "quant/helpers.h"

#ifdef LOWBIT_CUDA
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

namespace lowbit::exec {
namespace {

using config::Method;
using nn::FusedPasses;
using nn::use_fused_passes;
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

  // The network of a graph, its norms with factors and shifts of their own.
  std::shared_ptr<models::Network> network(const graph::Graph& graph,
                                           const config::ModelOptions& options = {}) const {
    auto network = std::make_shared<models::Network>(options, graph);
    const torch::NoGradGuard no_grad;
    for (const auto& item : network->named_parameters())
      if (item.key().ends_with("bn.weight"))
        Tensor(item.value()).copy_(torch::linspace(0.5, 2, item.value().numel()));
      else if (item.key().ends_with("bn.bias"))
        Tensor(item.value()).copy_(torch::linspace(-1, 1, item.value().numel()));
    network->to(place.device, place.parameters());
    network->use_channels_last();
    return network;
  }
  std::shared_ptr<models::Network> norm(int64_t channels) const {
    return network(layer_graph({channels, 7, 9}, [](graph::Builder& b, graph::ValueId x) {
      return b.batch_norm("bn", x, {});
    }));
  }

  const Place& place = GetParam();
};

double largest_difference(const Tensor& a, const Tensor& b) {
  const Tensor wide_a = a.to(torch::kFloat64), wide_b = b.to(torch::kFloat64);
  return ((wide_a - wide_b).abs().max() / wide_b.abs().max()).item<double>();
}

TEST_P(FusedPass, MaxPoolIsLibTorchs) {
  struct Case {
    nn::PoolWindows windows;
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
    const Tensor y = nn::max_pool(a, c.windows);
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
  const Tensor y = nn::max_pool(x, {3, 2, 1});
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
    for (const char* name : {"bn.running_mean", "bn.running_var"})
      EXPECT_LT(largest_difference(ours->named_buffers()[name], theirs->named_buffers()[name]),
                sums);
  }
}

// Values and gradients of x and all parameters of a pass, at once or, as a probe looks on, one node
// after another.
struct PassOverGraph {
  Tensor y;
  std::vector<std::string> names;
  std::vector<Tensor> gradients, buffers;

  PassOverGraph(models::Network& network, const Tensor& features, const Tensor& upstream,
                bool at_once) {
    const Tensor x = features.detach().clone().set_requires_grad(true);
    size_t seen = 0;
    const GraphModule::Probe count = [&seen](const auto&...) { ++seen; };
    y = network.run(x, Arithmetic::floats, at_once ? nullptr : &count);
    EXPECT_EQ(seen, at_once ? 0 : network.graph().nodes.size());
    std::vector<Tensor> inputs = {x};
    names = {"x"};
    for (const auto& item : network.named_parameters())
      if (item.value().requires_grad()) {
        names.push_back(item.key());
        inputs.push_back(item.value());
      }
    gradients = torch::autograd::grad({y}, inputs, {upstream});
    for (const Tensor& buffer : network.buffers()) buffers.push_back(buffer.clone());
  }
};

// The same bits, but for the gradient of a clip value: the order of a sum of doubles, of which each
// block has rounded terms.
void expect_same_bits(const PassOverGraph& fused, const PassOverGraph& parts,
                      const std::string& what) {
  EXPECT_TRUE(torch::equal(fused.y, parts.y)) << what;
  for (size_t i = 0; i < parts.gradients.size(); ++i)
    if (parts.names[i].ends_with("clip_val")) {
      EXPECT_LT(largest_difference(fused.gradients[i], parts.gradients[i]), 1e-5) << what;
    } else {
      EXPECT_TRUE(torch::equal(fused.gradients[i], parts.gradients[i]))
          << what << " " << parts.names[i];
    }
  for (size_t i = 0; i < parts.buffers.size(); ++i)
    EXPECT_TRUE(torch::equal(fused.buffers[i], parts.buffers[i])) << what;
}

// activation(norm(x) + x)
TEST_P(FusedPass, NormSkipAndActivationHaveTheBitsOfTheParts) {
  const Tensor x = features(4, 40, 6, 5), upstream = features(4, 40, 6, 5);
  for (const graph::Operation& activation :
       {graph::Operation(graph::Relu{}), graph::Operation(graph::Clip{.low = 0, .high = 6})})
    for (const bool skips : {false, true}) {
      const graph::Graph graph = layer_graph({40, 6, 5}, [&](graph::Builder& b, graph::ValueId in) {
        graph::ValueId y = b.batch_norm("bn", in, {});
        if (skips) y = b.add("add", y, in);
        return b.node("activation", activation, {y});
      });
      const PassOverGraph fused(*network(graph), x, upstream, true),
          parts(*network(graph), x, upstream, false);
      expect_same_bits(fused, parts, skips ? "with a skip" : "without");
    }
}

TEST_P(FusedPass, NormAloneBeforeASumGivesThePlainSum) {
  const Tensor x = features(2, 16, 4, 4);
  const auto sum = network(layer_graph({16, 4, 4}, [](graph::Builder& b, graph::ValueId in) {
    return b.add("add", b.batch_norm("bn", in, {}), in);
  }));
  EXPECT_TRUE(torch::equal(sum->forward(x), norm(16)->forward(x) + x));
}

// The convolution's input is quantized in the norm's pass.
TEST_P(FusedPass, QuantizerBehindANormHasTheBitsOfTheParts) {
  const Tensor x = features(4, 24, 6, 5), upstream = features(4, 8, 6, 5);
  for (const Method method : {Method::lsq, Method::dorefa, Method::pact})
    for (const bool activates : {true, false}) {
      config::ModelOptions options;
      options.fm = quant::options(method, 4, /*half_range=*/true);
      options.fm.boundary = 1.25;
      const graph::Graph graph = layer_graph({24, 6, 5}, [&](graph::Builder& b, graph::ValueId in) {
        graph::ValueId y = b.batch_norm("bn", in, {});
        if (activates) y = b.node("relu", graph::Relu{}, {y});
        return b.convolution("conv", y, {.out = 8, .kernel = 3, .padding = 1});
      });
      const auto made = [&] {
        torch::manual_seed(3);
        return network(graph, options);
      };
      ASSERT_TRUE(made()->quantizer("conv.quant_activation")->feature_form());
      const PassOverGraph fused(*made(), x, upstream, true), parts(*made(), x, upstream, false);
      expect_same_bits(fused, parts, std::to_string(static_cast<int>(method)));
    }
}

#ifdef LOWBIT_CUDA
TEST_P(FusedPass, ReplaysOfAGraphHaveTheBitsOfTheEagerPass) {
  if (!place.device.is_cuda()) GTEST_SKIP() << "graphs are of a GPU";
  const c10::cuda::CUDAStreamGuard stream(c10::cuda::getStreamFromPool());
  config::ModelOptions options;
  options.fm = quant::options(Method::lsq, 4, true);
  const auto block = network(
      layer_graph({16, 12, 12},
                  [](graph::Builder& b, graph::ValueId in) {
                    graph::ValueId y =
                        b.node("relu1", graph::Relu{}, {b.batch_norm("1.bn", in, {})});
                    y = b.convolution("conv", y, {.out = 16, .kernel = 3, .padding = 1});
                    y = b.add("add", b.batch_norm("2.bn", y, {}), in);
                    y = b.node("relu2", graph::Relu{}, {y});
                    return b.node("pool", graph::Pool{.kernel = 3, .stride = 2, .padding = 1}, {y});
                  }),
      options);
  const Tensor x = leaf(features(4, 16, 12, 12)), upstream = features(4, 16, 6, 6);
  const auto step = [&] {
    const Tensor pooled = block->run(x, Arithmetic::floats, nullptr);
    return torch::autograd::grad(
        {pooled}, {x, block->tensor("1.bn.weight"), block->tensor("2.bn.weight")}, {upstream});
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
}  // namespace lowbit::exec
