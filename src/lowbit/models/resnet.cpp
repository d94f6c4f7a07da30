#include "lowbit/models/resnet.h"

#include <fmt/format.h>

#include "lowbit/core/error.h"
#include "lowbit/models/residual_block.h"
#include "lowbit/nn/activation.h"
#include "lowbit/nn/classifier.h"
#include "lowbit/nn/conv.h"
#include "lowbit/nn/pool.h"

namespace lowbit::models {
namespace {

constexpr double kBaseWidth = 64;

// Stem -> stages of residual blocks -> global average -> classifier.
class ResNet : public Network {
 public:
  ResNet(const config::ModelOptions& options, const std::vector<int>& blocks);

 protected:
  torch::Tensor logits(const torch::Tensor& images) override;

 private:
  torch::Tensor stem(const torch::Tensor& images) const;
  // Registers the stages as layer1, layer2, ...; the number of channels that leave the last one.
  int64_t add_stages(int64_t width, const std::vector<int>& blocks);

  nn::LayerPtr stem_conv_, stem_pool_, stem_norm_;
  std::vector<nn::LayerPtr> stages_;
  nn::LayerPtr classifier_;
};

nn::ConvShape stem_shape(const config::ModelOptions& options, int64_t width) {
  if (options.cifar_stem) return {.in = 3, .out = width, .kernel = 3, .padding = 1};
  return {.in = 3, .out = width, .kernel = 7, .stride = 2, .padding = 3};
}

ResNet::ResNet(const config::ModelOptions& options, const std::vector<int>& blocks)
    : Network(options) {
  const auto width = static_cast<int64_t>(kBaseWidth * options.width_alpha);
  if (width < 1) throw core::usage_error("--width_alpha {} leaves no channel", options.width_alpha);
  if (options.base != 1)
    throw core::usage_error("--base {}: blocks with parallel branches are not built yet",
                            options.base);
  stem_conv_ = register_module("conv1", std::make_shared<nn::Conv2d>(stem_shape(options, width)));
  if (options.cifar_stem)
    stem_pool_ = std::make_shared<nn::Identity>();
  else
    stem_pool_ = register_module("maxpool", std::make_shared<nn::StemPool>());
  const int64_t features = add_stages(width, blocks);
  stem_norm_ = register_module(
      "bn1", std::make_shared<nn::Sequence>(std::vector{nn::make_norm(width, options),
                                                        nn::make_activation(options.activation)}));
  classifier_ =
      register_module("fc", std::make_shared<nn::Classifier>(features, options.num_classes));
  modules_are_complete();
}

int64_t ResNet::add_stages(int64_t width, const std::vector<int>& blocks) {
  int64_t channels = width;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const int64_t out = width << i;
    std::vector<nn::LayerPtr> stage;
    for (int block = 0; block < blocks[i]; ++block) {
      const int64_t stride = block == 0 && i > 0 ? 2 : 1;
      stage.push_back(
          std::make_shared<ResidualBlock>(BlockShape{channels, out, stride}, options()));
      channels = out;
    }
    if (stage.empty()) continue;
    stages_.push_back(register_module(fmt::format("layer{}", i + 1),
                                      std::make_shared<nn::Sequence>(std::move(stage))));
  }
  return channels;
}

torch::Tensor ResNet::stem(const torch::Tensor& images) const {
  const torch::Tensor x = stem_conv_->forward(images);
  if (options().fix_pooling) return stem_pool_->forward(stem_norm_->forward(x));
  return stem_norm_->forward(stem_pool_->forward(x));
}

torch::Tensor ResNet::logits(const torch::Tensor& images) {
  torch::Tensor x = stem(images);
  for (const nn::LayerPtr& stage : stages_) x = stage->forward(x);
  return classifier_->forward(x.mean({2, 3}));
}

}  // namespace

std::shared_ptr<Network> make_resnet(const config::ModelOptions& options,
                                     const std::vector<int>& blocks) {
  return std::make_shared<ResNet>(options, blocks);
}

}  // namespace lowbit::models
