#include "lowbit/models/pytorch_resnet.h"

#include <fmt/format.h>

#include "lowbit/models/end_layers.h"
#include "lowbit/nn/activation.h"
#include "lowbit/nn/deferred.h"
#include "lowbit/nn/norm.h"
#include "lowbit/nn/pool.h"
#include "lowbit/nn/quant_conv.h"

namespace lowbit::models {
namespace {

constexpr int64_t kResNetStemWidth = 64;
constexpr int64_t kExpansion = 4;  // of a bottleneck

// x [B, in, H, W] -> [B, out, H / stride, W / stride]: convolutions with norms, an activation
// between them and one behind the sum with the shortcut. The activation is one module, so that a
// learned slope is shared.
class Block : public nn::Layer {
 public:
  Block(int64_t in, int64_t planes, int64_t stride, bool bottleneck,
        const config::ModelOptions& options);
  int64_t out() const { return out_; }

 protected:
  torch::Tensor compute(const torch::Tensor& x) override;

 private:
  struct Unit {
    nn::LayerPtr conv, norm;
  };
  void add_unit(const nn::ConvShape& shape, const config::ModelOptions& options);

  int64_t out_;
  std::vector<Unit> units_;
  nn::LayerPtr activation_;
  nn::LayerPtr shortcut_;  // null: the identity
};

nn::LayerPtr make_downsample(int64_t in, int64_t out, int64_t stride,
                             const config::ModelOptions& options) {
  const nn::ConvShape shape = {.in = in, .out = out, .kernel = 1, .stride = stride};
  return std::make_shared<nn::Sequence>(std::vector<nn::LayerPtr>{
      std::make_shared<nn::QuantConv2d>(shape, options, /*full_precision=*/options.real_skip),
      nn::make_norm(out, options)});
}

Block::Block(int64_t in, int64_t planes, int64_t stride, bool bottleneck,
             const config::ModelOptions& options)
    : out_(bottleneck ? kExpansion * planes : planes),
      activation_(nn::make_activation(options.activation)) {
  const auto point = [](int64_t from, int64_t to) {
    return nn::ConvShape{.in = from, .out = to, .kernel = 1};
  };
  const auto full = [](int64_t from, int64_t to, int64_t step) {
    return nn::ConvShape{.in = from, .out = to, .kernel = 3, .stride = step, .padding = 1};
  };
  // torchvision's order of registration.
  if (bottleneck) {
    add_unit(point(in, planes), options);
    add_unit(full(planes, planes, stride), options);
    add_unit(point(planes, out_), options);
    register_module("relu", activation_);
  } else {
    add_unit(full(in, planes, stride), options);
    register_module("relu", activation_);
    add_unit(full(planes, planes, 1), options);
  }
  if (stride != 1 || in != out_)
    shortcut_ = register_module("downsample", make_downsample(in, out_, stride, options));
}

void Block::add_unit(const nn::ConvShape& shape, const config::ModelOptions& options) {
  const size_t number = units_.size() + 1;
  const auto conv = register_module(fmt::format("conv{}", number),
                                    std::make_shared<nn::QuantConv2d>(shape, options));
  const auto norm = register_module(fmt::format("bn{}", number), nn::make_norm(shape.out, options));
  units_.push_back({conv, norm});
}

torch::Tensor Block::compute(const torch::Tensor& x) {
  nn::Deferred y(x);
  for (size_t i = 0; i < units_.size(); ++i) {
    if (i > 0) y.pass_through(*activation_);
    y.pass_through(*units_[i].conv);
    y.pass_through(*units_[i].norm);
  }
  y.add(shortcut_ ? shortcut_->forward(x) : x);
  y.pass_through(*activation_);
  return y.tensor();
}

// Stem -> four stages of blocks -> global average -> classifier.
class PytorchResNet : public Network {
 public:
  PytorchResNet(const config::ModelOptions& options, const PytorchResNetShape& shape);

 protected:
  torch::Tensor logits(const torch::Tensor& images) override;

 private:
  // Registers layer1, layer2, ...; the number of channels that leave the last one.
  int64_t add_stages(const PytorchResNetShape& shape);

  std::vector<nn::LayerPtr> features_;  // stem and stages, in the order of computation
  nn::LayerPtr classifier_;
};

PytorchResNet::PytorchResNet(const config::ModelOptions& options, const PytorchResNetShape& shape)
    : Network(options) {
  const auto add = [this](const char* name, const nn::LayerPtr& layer) {
    features_.push_back(register_module(name, layer));
  };
  add("conv1",
      make_first_conv({.in = 3, .out = kResNetStemWidth, .kernel = 7, .stride = 2, .padding = 3},
                      options));
  add("bn1", nn::make_norm(kResNetStemWidth, options));
  add("relu", nn::make_activation(options.activation));
  add("maxpool", std::make_shared<nn::MaxPool>(/*size=*/3, /*stride=*/2,
                                               /*padding=*/options.caffe_pooling ? 0 : 1,
                                               /*ceil=*/options.caffe_pooling));
  classifier_ = register_module("fc", make_last_linear(add_stages(shape), options));
  modules_are_complete();
}

int64_t PytorchResNet::add_stages(const PytorchResNetShape& shape) {
  int64_t channels = kResNetStemWidth;
  for (size_t i = 0; i < shape.blocks.size(); ++i) {
    std::vector<nn::LayerPtr> stage;
    for (int j = 0; j < shape.blocks[i]; ++j) {
      const int64_t stride = j == 0 && i > 0 ? 2 : 1;
      const auto block = std::make_shared<Block>(channels, kResNetStemWidth << i, stride,
                                                 shape.bottleneck, options());
      channels = block->out();
      stage.push_back(block);
    }
    features_.push_back(register_module(fmt::format("layer{}", i + 1),
                                        std::make_shared<nn::Sequence>(std::move(stage))));
  }
  return channels;
}

torch::Tensor PytorchResNet::logits(const torch::Tensor& images) {
  nn::Deferred x(images);
  for (const nn::LayerPtr& layer : features_) x.pass_through(*layer);
  return classifier_->forward(x.tensor().mean({2, 3}));
}

}  // namespace

std::shared_ptr<Network> make_pytorch_resnet(const config::ModelOptions& options,
                                             const PytorchResNetShape& shape) {
  return std::make_shared<PytorchResNet>(options, shape);
}

}  // namespace lowbit::models
