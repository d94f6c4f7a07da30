// What surrounds the blocks of a ResNet: stems, norms, classifier.

#include "block_reference.h"
#include "lowbit/core/error.h"
#include "lowbit/models/factory.h"
#include "lowbit/models/families/families.h"
#include "lowbit/models/families/network_graph.h"

namespace lowbit::models {
namespace {

using config::BlockOrder;
using config::Norm;
using config::Stem;
using testing::ElementsAre;
using testing::HasSubstr;
using torch::Tensor;

// One block without stride behind the stem, 4 channels.
config::ModelOptions tiny() {
  config::ModelOptions options;
  options.order = BlockOrder::cbsa;
  options.origin = options.fix = true;
  options.width_alpha = 0.0625;
  options.num_classes = 5;
  options.input_size = 32;
  return options;
}

std::shared_ptr<Network> make_resnet(const config::ModelOptions& options,
                                     const std::vector<int>& blocks) {
  return std::make_shared<Network>(
      options, families::resnet(options, image_of(options), blocks, /*bottleneck=*/false));
}

std::shared_ptr<Network> one_block(const config::ModelOptions& options) {
  return make_resnet(options, {1});
}

// The names outside the blocks.
std::vector<std::string> ends(const Network& network) {
  std::vector<std::string> names;
  for (const std::string& name : learned_names(network))
    if (!name.starts_with("layer")) names.push_back(name);
  return names;
}

// Side of the features that a node gives.
int64_t side_behind(const Network& network, const char* name) {
  for (const graph::Value& value : network.graph().values)
    if (value.name == name) return value.type.dims.at(1);
  return 0;
}

TEST(ResNetStem, ReducesAsItsKindSays) {
  config::ModelOptions options = tiny();
  EXPECT_EQ(side_behind(*one_block(options), "layer1.0.add"), 8);
  options.stem = Stem::space_to_depth;
  EXPECT_EQ(side_behind(*one_block(options), "layer1.0.add"), 8);
  options.stem = Stem::space_to_depth_pool;
  EXPECT_EQ(side_behind(*one_block(options), "conv1.conv"), 16);
  EXPECT_EQ(side_behind(*one_block(options), "layer1.0.add"), 8);
  options.cifar_stem = true;
  EXPECT_EQ(side_behind(*one_block(options), "layer1.0.add"), 32);
}

TEST(ResNetStem, OfCellsHasTheirChannelsAndTheKernelAsked) {
  config::ModelOptions options = tiny();
  options.stem = Stem::space_to_depth;
  options.stem_kernel = 3;
  const auto shape = [](const Network& network) {
    return network.named_parameters()["conv1.conv.weight"].sizes().vec();
  };
  EXPECT_THAT(shape(*one_block(options)), ElementsAre(4, 48, 3, 3));
  EXPECT_EQ(side_behind(*one_block(options), "layer1.0.add"), 8);
  options.stem = Stem::space_to_depth_pool;
  options.stem_kernel = 1;
  EXPECT_THAT(shape(*one_block(options)), ElementsAre(4, 12, 1, 1));
}

TEST(ResNetStem, IsNeverQuantized) {
  config::ModelOptions options = tiny();
  options.first_last = options.wt.enable = true;
  options.wt.method = config::Method::lsq;
  options.wt.bit = 2;
  options.stem = Stem::space_to_depth;
  const auto network = one_block(options);
  for (const QuantLayer& layer : network->quant_layers())
    EXPECT_THAT(layer.name(), HasSubstr("layer1"));
}

TEST(ResNet, PutsItsNormsWhereTheKeywordsSay) {
  config::ModelOptions options = tiny();
  options.activation = config::Activation::prelu;
  EXPECT_THAT(ends(*one_block(options)),
              ElementsAre("conv1.weight", "bn1.0.weight", "bn1.1.weight", "fc.weight"));
  options.pre_norm = true;
  EXPECT_THAT(ends(*one_block(options)), ElementsAre("conv1.weight", "bn2.0.weight", "fc.weight"));
  options.patch_pre_norm_stem = true;
  EXPECT_THAT(ends(*one_block(options)),
              ElementsAre("conv1.weight", "bn2.0.weight", "bn2.1.weight", "fc.weight"));
  options.fix_pooling = true;
  EXPECT_THAT(ends(*one_block(options)), ElementsAre("conv1.weight", "bn1.0.weight", "bn1.1.weight",
                                                     "bn2.0.weight", "bn2.1.weight", "fc.weight"));
  options = tiny();
  options.activation = config::Activation::prelu;
  options.group_net = true;
  EXPECT_THAT(ends(*one_block(options)), ElementsAre("conv1.weight", "bn1.0.weight", "fc.weight"));
}

TEST(ResNet, ComputesNormsInTheOrderOfTheKeywords) {
  for (const bool before : {false, true}) {
    config::ModelOptions options = tiny();
    options.pre_norm = options.patch_pre_norm_stem = true;
    options.fix_pooling = before;
    const auto network = make_resnet(options, {});  // nothing but the ends
    network->to(torch::kFloat64);
    network->eval();
    for (const NamedTensor& entry : network->state())
      parity::fill_from_name(entry.name, entry.tensor);
    const Written w(*network);
    const Tensor images = torch::randn({2, 3, 32, 32}, torch::kFloat64);
    Tensor x = torch::conv2d(images, w.at("conv1.weight"), {}, 2, 3);
    if (before) x = torch::relu(w.norm("bn1.0", x));
    x = torch::relu(w.norm("bn2.0", torch::max_pool2d(x, 3, 2, 1)));
    const Tensor expected = torch::linear(x.mean({2, 3}), w.at("fc.weight"), w.at("fc.bias"));
    EXPECT_TRUE(torch::allclose(network->forward(images), expected, 1e-10, 1e-12));
  }
}

TEST(ResNet, OfFixupHasScalarsAtBothEndsAndAClassifierOfZeros) {
  config::ModelOptions options = tiny();
  options.fixup = options.fixup_bias = true;
  const auto network = make_resnet(options, {});
  EXPECT_THAT(ends(*network),
              ElementsAre("fixup_bias1", "fixup_bias2", "conv1.weight", "fc.weight"));
  const Tensor images = torch::randn({2, 3, 32, 32}, torch::kFloat64);
  network->to(torch::kFloat64);
  EXPECT_EQ(network->forward(images).abs().max().item<double>(), 0);
  for (const NamedTensor& entry : network->state())
    parity::fill_from_name(entry.name, entry.tensor);
  const Written w(*network);
  Tensor x = torch::conv2d(images, w.at("conv1.weight"), {}, 2, 3) + w.at("fixup_bias1");
  x = torch::relu(torch::max_pool2d(x, 3, 2, 1)).mean({2, 3}) + w.at("fixup_bias2");
  const Tensor expected = torch::linear(x, w.at("fc.weight"), w.at("fc.bias"));
  EXPECT_TRUE(torch::allclose(network->forward(images), expected, 1e-10, 1e-12));
}

TEST(ResNet, TrainsWithEveryNorm) {
  for (const Norm norm :
       {Norm::group, Norm::static_batch, Norm::frozen_batch, Norm::reverse_batch, Norm::instance}) {
    config::ModelOptions options = tiny();
    options.norm = norm;
    options.fm.quant_group = 2;
    options.cifar_stem = true;
    const auto network = make_resnet(options, {1, 1});
    const Tensor logits = network->forward(torch::rand({2, 3, 32, 32}));
    EXPECT_EQ(logits.sizes(), (std::vector<int64_t>{2, 5}));
    logits.sum().backward();
    for (const auto& parameter : network->named_parameters())
      EXPECT_EQ(parameter.value().grad().defined(), parameter.value().requires_grad())
          << parameter.key();
    EXPECT_EQ(network->named_parameters().contains("bn1.0.weight"), norm != Norm::instance);
  }
}

TEST(ResNet, TrainsWithEveryStructure) {
  const auto trains = [](auto change) {
    config::ModelOptions options = tiny();
    options.cifar_stem = true;
    options.shrink_order = "cb";
    change(options);
    const auto network = make_resnet(options, {1, 1, 1});
    network->forward(torch::rand({2, 3, 32, 32})).sum().backward();
    for (const auto& parameter : network->named_parameters())
      EXPECT_EQ(parameter.value().grad().defined(), parameter.value().requires_grad())
          << parameter.key();
  };
  using config::ModelOptions;
  trains([](ModelOptions& o) { o.base = 3; });
  trains([](ModelOptions& o) { o.base = 3, o.origin = false, o.order = BlockOrder::cabs; });
  trains([](ModelOptions& o) { o.order = BlockOrder::bcas, o.pre_norm = true; });
  trains([](ModelOptions& o) { o.identity_norm = true; });
  trains([](ModelOptions& o) { o.reshape_resolution = o.shrink_full = true; });
  trains([](ModelOptions& o) { o.prone = o.norm_before_restore = true; });
  trains([](ModelOptions& o) { o.prone = o.reshape_resolution = true; });
  trains([](ModelOptions& o) { o.fixup = o.fixup_bias = true; });
}

TEST(ResNet, OfBottlenecksEndsFourTimesAsWide) {
  config::ModelOptions options = tiny();
  options.name = "resnet50";
  EXPECT_EQ(make_network(options)->named_parameters()["fc.weight"].size(1), 4 * 32);
  options.origin = false;
  EXPECT_THROW(make_network(options), core::Error);
}

TEST(ResNet, CountsThePassesOfNormsThatRunAlone) {
  config::ModelOptions options = tiny();
  options.cifar_stem = options.reshape_resolution = options.shrink_full = true;
  options.shrink_order = "cb";
  const auto network = make_resnet(options, {1, 1});
  network->forward(torch::rand({2, 3, 32, 32}));
  const auto buffers = network->named_buffers();
  EXPECT_EQ(buffers["layer2.0.shrink.1.num_batches_tracked"].item<int64_t>(), 1);
  EXPECT_EQ(buffers["layer2.0.bn1.0.num_batches_tracked"].item<int64_t>(), 0);
}

}  // namespace
}  // namespace lowbit::models
