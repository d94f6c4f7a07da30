// Whole networks whose norms, sums, activations and quantizers run in one pass.
#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/cuda.h>

#include "lowbit/models/factory.h"
#include "lowbit/nn/fused_passes.h"
#include "small_options.h"

namespace lowbit::models {
namespace {

using torch::Tensor;

struct Training {
  Tensor logits;
  std::vector<std::string> names;
  std::vector<Tensor> gradients, buffers;
};

struct How {
  torch::Device device = torch::kCPU;
  torch::ScalarType parameters = torch::kFloat64, features = torch::kFloat64;
  int64_t batch = 3;
};

// One step's forward and backward pass, channels-last.
Training train(const config::ModelOptions& options, nn::FusedPasses where, const How& how = {}) {
  nn::use_fused_passes(where);
  torch::manual_seed(1);
  const auto network = make_network(options);
  network->to(how.device, how.parameters);
  network->use_channels_last();
  {
    // A channel of equal numbers has its bias as value: at 0, rounding would decide on the ReLU.
    const torch::NoGradGuard no_grad;
    for (auto& parameter : network->named_parameters())
      if (parameter.key().ends_with(".bias"))
        parameter->copy_(torch::rand(parameter->sizes()) + 0.1);
  }
  const auto side = int64_t{options.input_size};
  const Tensor images = torch::rand({how.batch, 3, side, side})
                            .to(how.device, how.features)
                            .contiguous(torch::MemoryFormat::ChannelsLast);
  Training result;
  result.logits = network->forward(images);
  std::vector<Tensor> trained;
  for (const auto& parameter : network->named_parameters())
    if (parameter->requires_grad()) {
      result.names.push_back(parameter.key());
      trained.push_back(parameter.value());
    }
  const Tensor upstream = torch::randn(result.logits.sizes()).to(result.logits.options());
  result.gradients = torch::autograd::grad({result.logits}, trained, {upstream}, std::nullopt,
                                           /*create_graph=*/false, /*allow_unused=*/true);
  result.buffers = network->buffers();
  nn::use_fused_passes(nn::FusedPasses::on_gpu);
  return result;
}

void expect_alike(const config::ModelOptions& options, const std::string& what) {
  const Training fused = train(options, nn::FusedPasses::everywhere);
  const Training parts = train(options, nn::FusedPasses::never);
  EXPECT_TRUE(torch::allclose(fused.logits, parts.logits, 1e-9, 1e-9)) << what;
  for (size_t i = 0; i < parts.gradients.size(); ++i) {
    ASSERT_EQ(fused.gradients[i].defined(), parts.gradients[i].defined());
    if (!parts.gradients[i].defined()) continue;
    EXPECT_TRUE(torch::allclose(fused.gradients[i], parts.gradients[i], 1e-7, 1e-9))
        << what << ": " << parts.names[i];
  }
  for (size_t i = 0; i < parts.buffers.size(); ++i)
    EXPECT_TRUE(torch::allclose(fused.buffers[i], parts.buffers[i], 1e-9, 1e-9)) << what;
}

TEST(FusedNetwork, TrainsAsTheUnfusedInEveryBlockOrder) {
  using enum config::BlockOrder;
  for (const auto order : {cbas, cbsa, cabs, bacs, bcas})
    for (const bool origin : {true, false})
      for (const auto method :
           {config::Method::lsq, config::Method::dorefa, config::Method::pact}) {
        config::ModelOptions options = small_resnet20(method);
        options.order = order;
        options.origin = origin;
        options.fix = origin;
        options.width_alpha = 0.125;
        expect_alike(options, "order " + std::to_string(static_cast<int>(order)) + ", method " +
                                  std::to_string(static_cast<int>(method)) +
                                  (origin ? ", origin" : ""));
      }
}

TEST(FusedNetwork, TrainsAsTheUnfusedInFullPrecision) {
  config::ModelOptions options = small_resnet20();
  options.fm.enable = options.wt.enable = false;
  expect_alike(options, "full precision");
  options.cifar_stem = false;
  options.fix_pooling = true;
  options.input_size = 32;
  expect_alike(options, "with max-pooling");
}

TEST(FusedNetwork, TrainsAsTheUnfusedInMobileNets) {
  config::ModelOptions v1 =
      small_mobilenet("mobilenetv1", config::Family::mobilenetv1, config::BlockOrder::cbas);
  v1.width_alpha = 0.25;
  config::ModelOptions v2 =
      small_mobilenet("mobilenetv2", config::Family::mobilenetv2, config::BlockOrder::cbas);
  v2.width_alpha = 0.25;
  v2.activation = config::Activation::relu6;
  expect_alike(v1, "V1");
  expect_alike(v2, "V2");
}

// Relative to its size, the norm of what `a` differs by.
double difference(const Tensor& a, const Tensor& exact) {
  return ((a.to(torch::kFloat64) - exact).norm() / exact.norm()).item<double>();
}

// The size that matters, where a channel has many rows: what float64 gives is as near as without.
// Where a sum is next to 0 rounding decides on the mask of a ReLU, so that neither is very near.
TEST(FusedNetworkOnGpu, IsAsNearToFloat64AsTheUnfusedAt224) {
  if (!torch::cuda::is_available()) GTEST_SKIP() << "no GPU on this machine";
  config::ModelOptions options =
      small_options("resnet18", config::Family::resnet, 1000, /*input_size=*/224);
  options.order = config::BlockOrder::cbsa;
  options.origin = options.fix = options.singleconv = options.fix_pooling = true;
  constexpr int64_t kBatch = 64;
  const Training exact = train(options, nn::FusedPasses::never,
                               {torch::kCUDA, torch::kFloat64, torch::kFloat64, kBatch});
  for (const auto type : {torch::kFloat32, torch::kFloat16, torch::kBFloat16}) {
    const How how{torch::kCUDA, torch::kFloat32, type, kBatch};
    const Training fused = train(options, nn::FusedPasses::on_gpu, how);
    const Training parts = train(options, nn::FusedPasses::never, how);
    const auto compare = [&](const Tensor& a, const Tensor& b, const Tensor& c,
                             const std::string& name) {
      EXPECT_LT(difference(a, c), 1.5 * difference(b, c) + 1e-5) << type << " " << name;
    };
    compare(fused.logits, parts.logits, exact.logits, "logits");
    for (size_t i = 0; i < exact.gradients.size(); ++i)
      compare(fused.gradients[i], parts.gradients[i], exact.gradients[i], exact.names[i]);
    for (size_t i = 0; i < exact.buffers.size(); ++i)
      if (exact.buffers[i].is_floating_point())
        compare(fused.buffers[i], parts.buffers[i], exact.buffers[i], "buffer");
  }
}

}  // namespace
}  // namespace lowbit::models
