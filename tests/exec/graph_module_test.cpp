// Whoever looks on: the networks of every family, method and order have the same bits.
#include "lowbit/exec/graph_module.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "lowbit/graph/builder.h"
#include "lowbit/models/factory.h"
#include "models/small_options.h"
#include "support/recorded_networks.h"

namespace lowbit::exec {
namespace {

using config::BlockOrder;
using config::Family;
using config::Method;
using config::ModelOptions;
using models::full_precision;
using models::Network;

constexpr uint64_t kSeed = 3;

// Not equal bit by bit; NaN equals NaN.
bool differ(const torch::Tensor& a, const torch::Tensor& b) {
  if (a.defined() != b.defined()) return true;
  if (!a.defined()) return false;
  if (a.sizes() != b.sizes() || a.scalar_type() != b.scalar_type()) return true;
  return !torch::equal(a.isnan(), b.isnan()) || !torch::equal(a.nan_to_num(), b.nan_to_num());
}

using Tensors = std::vector<std::pair<std::string, torch::Tensor>>;

std::vector<std::string> differences(const Tensors& a, const Tensors& b) {
  std::vector<std::string> names;
  for (size_t i = 0; i < std::max(a.size(), b.size()); ++i)
    if (i >= a.size() || i >= b.size() || a[i].first != b[i].first ||
        differ(a[i].second, b[i].second))
      names.push_back(i < a.size() ? a[i].first : b[i].first);
  return names;
}

Tensors state(const torch::nn::Module& module) {
  Tensors tensors;
  for (const models::NamedTensor& each : models::state_of(module))
    tensors.emplace_back(each.name, each.tensor.detach());
  return tensors;
}

Tensors gradients(const torch::nn::Module& module) {
  Tensors tensors;
  for (const auto& item : module.named_parameters())
    tensors.emplace_back(item.key(), item.value().grad());
  return tensors;
}

void forget_gradients(torch::nn::Module& module) {
  for (torch::Tensor& parameter : module.parameters()) parameter.mutable_grad() = torch::Tensor();
}

std::shared_ptr<Network> seeded(const ModelOptions& options, torch::ScalarType type) {
  torch::manual_seed(kSeed);
  auto network = models::make_network(options);
  network->to(torch::kCPU, type == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32);
  return network;
}

// Sees every node once, in an order in which it could be computed.
class Onlooker {
 public:
  explicit Onlooker(const GraphModule& module) : module_(module) {
    const graph::Graph& graph = module.graph();
    known_.insert(graph.input);
    for (const graph::Parameter& parameter : graph.parameters) known_.insert(parameter.value);
  }

  void expect_all() const { EXPECT_EQ(seen_, module_.graph().nodes.size()); }
  const GraphModule::Probe& probe() const { return probe_; }

 private:
  void see(const graph::Node& node, const torch::Tensor& x, const torch::Tensor& y) {
    ++seen_;
    const graph::Graph& graph = module_.graph();
    for (const graph::ValueId id : node.inputs)
      EXPECT_TRUE(known_.contains(id)) << graph.name_of(node) << ": " << graph.value(id).name;
    EXPECT_TRUE(known_.insert(node.output).second) << graph.name_of(node);
    expect_dims(graph.value(node.inputs[0]).type, x, graph.name_of(node) + " input");
    expect_dims(graph.value(node.output).type, y, graph.name_of(node));
  }

  static void expect_dims(const graph::Type& type, const torch::Tensor& tensor,
                          const std::string& what) {
    EXPECT_EQ(tensor.sizes().slice(type.batched ? 1 : 0).vec(), type.dims) << what;
  }

  const GraphModule& module_;
  std::set<graph::ValueId> known_;
  size_t seen_ = 0;
  GraphModule::Probe probe_ = [this](const graph::Node& node, const torch::Tensor& x,
                                     const torch::Tensor& y) { see(node, x, y); };
};

void expect_same_pass(Network& watched, Network& alone, const torch::Tensor& images,
                      Arithmetic arithmetic) {
  const Onlooker onlooker(watched);
  const torch::Tensor expected = alone.run(images, arithmetic, nullptr);
  const torch::Tensor logits = watched.run(images, arithmetic, &onlooker.probe());
  onlooker.expect_all();
  EXPECT_FALSE(differ(expected, logits)) << expected << logits;
  if (!logits.requires_grad()) return;
  const torch::Tensor grad = torch::randn_like(expected);
  forget_gradients(watched);
  forget_gradients(alone);
  logits.backward(grad);
  expected.backward(grad);
  EXPECT_EQ(differences(gradients(watched), gradients(alone)), std::vector<std::string>());
  EXPECT_EQ(differences(state(watched), state(alone)), std::vector<std::string>());
}

// Quantizers have no kernels for half precision on a CPU.
std::vector<torch::ScalarType> types(const ModelOptions& options) {
  if (options.wt.enable) return {torch::kFloat64, torch::kFloat32};
  return {torch::kFloat64, torch::kFloat32, torch::kBFloat16};
}

void expect_same(Network& watched, Network& alone, const torch::Tensor& images) {
  expect_same_pass(watched, alone, images, Arithmetic::floats);
  expect_same_pass(watched, alone, images, Arithmetic::floats);
  watched.eval();
  alone.eval();
  expect_same_pass(watched, alone, images, Arithmetic::floats);
  const torch::NoGradGuard no_grad;
  expect_same_pass(watched, alone, images, Arithmetic::whole_numbers);
}

void expect_same(const ModelOptions& options, const std::string& what) {
  for (const torch::ScalarType type : types(options)) {
    SCOPED_TRACE(what + " " + torch::toString(type));
    const auto watched = seeded(options, type), alone = seeded(options, type);
    expect_same(*watched, *alone,
                torch::randn({2, 3, options.input_size, options.input_size}, type));
  }
}

void quantize(ModelOptions& options, Method method, bool output = false) {
  for (config::QuantOptions* tag : {&options.fm, &options.wt, &options.ot}) {
    tag->enable = output || tag != &options.ot;
    tag->method = method;
    tag->level = method == Method::xnor ? 2 : method == Method::non_uniform ? 3 : 4;
  }
}

ModelOptions small_resnet(BlockOrder order) {
  ModelOptions options = models::small_options("resnet20", Family::resnet, 5, 16);
  options.order = order;
  options.cifar_stem = true;
  options.width_alpha = 0.0625;
  options.block_alpha = 0.4;  // one block a stage
  options.origin = true;
  return options;
}

class RecordedModule : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(RecordedModule, HasTheSameBitsWatched) {
  const parity::ParityNetwork watched = parity::parity_network(GetParam()),
                              alone = parity::parity_network(GetParam());
  expect_same(*watched.network, *alone.network, watched.images);
}

INSTANTIATE_TEST_SUITE_P(Cases, RecordedModule, testing::ValuesIn(testing_support::recorded()),
                         testing_support::file_name);

TEST(GraphModule, HasTheSameBitsWatchedWithEveryNormAndActivation) {
  using config::Activation;
  using config::Norm;
  for (const Norm norm : {Norm::batch, Norm::group, Norm::static_batch, Norm::frozen_batch,
                          Norm::reverse_batch, Norm::instance}) {
    ModelOptions options = small_resnet(BlockOrder::cbsa);
    options.norm = norm;
    options.fm.quant_group = 2;
    expect_same(options, "norm " + std::to_string(static_cast<int>(norm)));
  }
  for (const Activation kind :
       {Activation::prelu, Activation::none, Activation::relu6, Activation::leaky_relu}) {
    ModelOptions options = small_resnet(BlockOrder::cbas);
    options.activation = kind;
    expect_same(options, "activation " + std::to_string(static_cast<int>(kind)));
  }
}

TEST(GraphModule, HasTheSameBitsWatchedWithReshapesAndFixup) {
  ModelOptions options = small_resnet(BlockOrder::cbsa);
  options.fixup = options.fixup_bias = true;
  expect_same(options, "fixup");
  options = small_resnet(BlockOrder::cbsa);
  options.prone = options.norm_before_restore = true;
  expect_same(options, "prone");
  options = small_resnet(BlockOrder::bacs);
  options.reshape_resolution = true;
  options.shrink_order = "bca";
  options.pre_norm = options.patch_pre_norm_stem = true;
  expect_same(options, "ReShapeResolution");
  options.shrink_full = true;
  expect_same(options, "ldn3x3");
}

TEST(GraphModule, HasTheSameBitsWatchedWithEveryMethod) {
  for (const Method method :
       {Method::dorefa, Method::pact, Method::lsq, Method::non_uniform, Method::lq, Method::xnor}) {
    ModelOptions options = small_resnet(BlockOrder::cbsa);
    quantize(options, method);
    expect_same(options, "method " + std::to_string(static_cast<int>(method)));
  }
}

TEST(GraphModule, HasTheSameBitsWatchedWithEveryOrderOfBlocks) {
  for (const BlockOrder order :
       {BlockOrder::cbas, BlockOrder::cbsa, BlockOrder::cabs, BlockOrder::bacs, BlockOrder::bcas})
    for (const bool origin : {true, false})
      for (const bool fix : {true, false}) {
        ModelOptions options = small_resnet(order);
        options.origin = origin;
        options.fix = fix;
        options.activation = config::Activation::prelu;
        quantize(options, Method::lsq, /*output=*/fix);
        expect_same(options, "order " + std::to_string(static_cast<int>(order)));
      }
}

// Those with learned clip values are computed one by one, the others as one.
TEST(GraphModule, HasTheSameBitsWatchedWithSeveralBranches) {
  for (const BlockOrder order : {BlockOrder::cbsa, BlockOrder::bacs})
    for (const Method method : {Method::lsq, Method::dorefa, Method::xnor}) {
      ModelOptions options = small_resnet(order);
      options.origin = false;
      options.base = 3;
      quantize(options, method);
      expect_same(options, "base 3");
    }
}

TEST(GraphModule, HasTheSameBitsWatchedInTheOtherFamilies) {
  ModelOptions v1 = models::small_mobilenet("mobilenetv1", Family::mobilenetv1, BlockOrder::cbsa);
  v1.bireal_skip = v1.react = v1.first_last = true;
  ModelOptions v2 = models::small_mobilenet("mobilenetv2", Family::mobilenetv2, BlockOrder::bacs);
  v2.block_alpha = 0.3;
  v1.width_alpha = v2.width_alpha = 0.125;
  ModelOptions vgg = models::small_options("vgg_small", Family::vgg_small, 5, 8);
  vgg.unit_order = config::UnitOrder::abc;
  ModelOptions torchvision =
      models::small_options("pytorch-resnet18", Family::pytorch_resnet, 5, 32);
  torchvision.block_alpha = 0.4;
  torchvision.caffe_pooling = true;
  torchvision.activation = config::Activation::prelu;
  ModelOptions nin = models::small_options("nin", Family::nin, 5, 8);
  for (ModelOptions options : {v1, v2, vgg, torchvision, nin})
    for (const bool quantized : {true, false}) {
      if (quantized) quantize(options, Method::lsq);
      expect_same(options, options.name + (quantized ? " quantized" : ""));
      options = full_precision(options);
    }
}

// What LibTorch's own operations have no form for.
TEST(GraphModule, PadsEachSideAsItsGraphSays) {
  graph::Builder b("pads");
  graph::ValueId x = b.input({1, 2, 3});
  x = b.node("max", graph::Pool{.kernel = 2, .stride = 1, .padding = {0, 0, 1, 1}}, {x});
  x = b.node("average",
             graph::Pool{.kind = graph::Pool::Kind::average,
                         .kernel = 2,
                         .stride = 1,
                         .padding = {1, 1, 0, 0},
                         .count_padding = false},
             {x});
  GraphModule module(b.finish(x));
  const torch::Tensor images = torch::arange(6, torch::kFloat32).view({1, 1, 2, 3});
  // [[0, 1, 2], [3, 4, 5]] -> [[4, 5, 5], [4, 5, 5]]
  const torch::Tensor expected =
      torch::tensor({4.0f, 4.5f, 5.0f, 4.0f, 4.5f, 5.0f}).view({1, 1, 2, 3});
  EXPECT_TRUE(torch::equal(module.forward(images), expected)) << module.forward(images);
}

}  // namespace
}  // namespace lowbit::exec
