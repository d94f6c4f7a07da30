#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lowbit/models/families/families.h"
#include "lowbit/models/families/network_graph.h"
#include "small_options.h"
#include "support/block_reference.h"

namespace lowbit::models {
namespace {

using testing::ElementsAre;
using testing_support::expect_same;
using testing_support::keys;
using testing_support::State;
using torch::Tensor;

config::ModelOptions resnet50_options() {
  return small_options("pytorch-resnet50", config::Family::pytorch_resnet, 5, 32);
}

// Two stages of one block each: everything that a block can be, and little to compute.
std::shared_ptr<Network> make(const config::ModelOptions& from, bool bottleneck) {
  return std::make_shared<Network>(
      from, families::pytorch_resnet(from, image_of(from), {1, 1}, bottleneck));
}

Tensor stem(const State& s, const Tensor& x) {
  const Tensor y = torch::conv2d(x, s["conv1.weight"], {}, 2, 3);
  return torch::relu(s.norm("bn1", y));
}

Tensor classified_by_fc(const State& s, const Tensor& x) {
  return torch::linear(x.mean({2, 3}), s["fc.weight"], s["fc.bias"]);
}

void expect_network(Network& network, const std::function<Tensor(const Tensor&)>& expected) {
  expect_same(network, [&](const Tensor& x) { return network.forward(x); }, expected,
              {2, 3, 32, 32});
}

TEST(PytorchResNet, OfBasicBlocksActsBehindTheSum) {
  const auto network = make(resnet50_options(), false);
  const State s(*network);
  const auto block = [&](const std::string& name, const Tensor& x, int64_t stride,
                         const Tensor& shortcut) {
    Tensor y = torch::relu(s.norm(name + ".bn1", s.conv(name + ".conv1", x, stride)));
    y = s.norm(name + ".bn2", s.conv(name + ".conv2", y));
    return torch::relu(y + shortcut);
  };
  expect_network(*network, [&](const Tensor& x) {
    Tensor y = torch::max_pool2d(stem(s, x), 3, 2, 1);
    y = block("layer1.0", y, 1, y);
    y = block("layer2.0", y, 2,
              s.norm("layer2.0.downsample.1", s.conv("layer2.0.downsample.0", y, 2)));
    return classified_by_fc(s, y);
  });
}

TEST(PytorchResNet, OfBottlenecksHasTheStrideInTheMiddleConvolution) {
  const auto network = make(resnet50_options(), true);
  EXPECT_THAT(keys(*network),
              ElementsAre("conv1.weight[64,3,7,7]", "bn1.weight[64]", "bn1.bias[64]",
                          "layer1.0.conv1.weight[64,64,1,1]", "layer1.0.bn1.weight[64]",
                          "layer1.0.bn1.bias[64]", "layer1.0.conv2.weight[64,64,3,3]",
                          "layer1.0.bn2.weight[64]", "layer1.0.bn2.bias[64]",
                          "layer1.0.conv3.weight[256,64,1,1]", "layer1.0.bn3.weight[256]",
                          "layer1.0.bn3.bias[256]", "layer1.0.downsample.0.weight[256,64,1,1]",
                          "layer1.0.downsample.1.weight[256]", "layer1.0.downsample.1.bias[256]",
                          "layer2.0.conv1.weight[128,256,1,1]", "layer2.0.bn1.weight[128]",
                          "layer2.0.bn1.bias[128]", "layer2.0.conv2.weight[128,128,3,3]",
                          "layer2.0.bn2.weight[128]", "layer2.0.bn2.bias[128]",
                          "layer2.0.conv3.weight[512,128,1,1]", "layer2.0.bn3.weight[512]",
                          "layer2.0.bn3.bias[512]", "layer2.0.downsample.0.weight[512,256,1,1]",
                          "layer2.0.downsample.1.weight[512]", "layer2.0.downsample.1.bias[512]",
                          "fc.weight[5,512]", "fc.bias[5]"));
  const State s(*network);
  const auto block = [&](const std::string& name, const Tensor& x, int64_t stride) {
    Tensor y = torch::relu(s.norm(name + ".bn1", s.conv(name + ".conv1", x)));
    y = torch::relu(s.norm(name + ".bn2", s.conv(name + ".conv2", y, stride)));
    y = s.norm(name + ".bn3", s.conv(name + ".conv3", y));
    return torch::relu(y +
                       s.norm(name + ".downsample.1", s.conv(name + ".downsample.0", x, stride)));
  };
  expect_network(*network, [&](const Tensor& x) {
    const Tensor y = torch::max_pool2d(stem(s, x), 3, 2, 1);
    return classified_by_fc(s, block("layer2.0", block("layer1.0", y, 1), 2));
  });
}

TEST(PytorchResNet, WithCaffePoolingPadsNothingAndKeepsTheRest) {
  config::ModelOptions caffe = resnet50_options();
  const auto pooled_size = [](const config::ModelOptions& from, int64_t pixels) {
    std::vector<int64_t> size;
    const auto network = make(from, false);
    network->probe(
        torch::rand({1, 3, pixels, pixels}), exec::Arithmetic::floats,
        [&](const graph::Node& node, const Tensor& x, const Tensor& y) {
          if (network->graph().name_of(node) != "maxpool") return;
          size = y.sizes().vec();
          EXPECT_EQ(x.size(2), pixels / 2);
          // The window at the corner begins there instead of one pixel outside.
          if (!from.caffe_pooling) return;
          EXPECT_TRUE(torch::equal(y[0][0][0][0], x[0][0].slice(0, 0, 3).slice(1, 0, 3).max()));
        });
    return size;
  };
  EXPECT_EQ(pooled_size(caffe, 36), (std::vector<int64_t>{1, 64, 9, 9}));
  caffe.caffe_pooling = true;
  EXPECT_EQ(pooled_size(caffe, 32), (std::vector<int64_t>{1, 64, 8, 8}));
  EXPECT_EQ(pooled_size(caffe, 36), (std::vector<int64_t>{1, 64, 9, 9}));
}

TEST(PytorchResNet, SharesOneSlopeWithinABlock) {
  config::ModelOptions learned = resnet50_options();
  learned.activation = config::Activation::prelu;
  std::vector<std::string> slopes;
  for (const std::string& key : keys(*make(learned, true)))
    if (key.find("relu") != std::string::npos) slopes.push_back(key);
  EXPECT_THAT(slopes,
              ElementsAre("relu.weight[1]", "layer1.0.relu.weight[1]", "layer2.0.relu.weight[1]"));
}

std::vector<std::string> quantized_layers(const Network& network) {
  std::vector<std::string> paths;
  for (const QuantLayer& layer : network.quant_layers())
    if (layer.quantizer(config::Tag::wt)) paths.push_back(layer.name());
  return paths;
}

TEST(PytorchResNet, QuantizesWhatItsKeywordsSay) {
  config::ModelOptions quantized = resnet50_options();
  quantized.fm.enable = quantized.wt.enable = true;
  quantized.fm.method = quantized.wt.method = config::Method::lsq;
  quantized.fm.bit = quantized.wt.bit = 2;
  EXPECT_THAT(quantized_layers(*make(quantized, false)),
              ElementsAre("layer1.0.conv1", "layer1.0.conv2", "layer2.0.conv1", "layer2.0.conv2",
                          "layer2.0.downsample.0"));
  quantized.real_skip = true;
  EXPECT_THAT(quantized_layers(*make(quantized, false)),
              ElementsAre("layer1.0.conv1", "layer1.0.conv2", "layer2.0.conv1", "layer2.0.conv2"));
  EXPECT_EQ(make(quantized, false)->quant_layers().size(), 5U);
  quantized.first_last = true;
  EXPECT_THAT(quantized_layers(*make(quantized, false)),
              ElementsAre("conv1", "layer1.0.conv1", "layer1.0.conv2", "layer2.0.conv1",
                          "layer2.0.conv2", "fc"));
}

}  // namespace
}  // namespace lowbit::models
