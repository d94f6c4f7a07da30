#include "lowbit/models/resnet.h"

#include <fmt/format.h>

#include "lowbit/core/error.h"
#include "lowbit/models/block_norm.h"
#include "lowbit/models/fixup_block.h"
#include "lowbit/models/resnet_stem.h"
#include "lowbit/nn/activation.h"
#include "lowbit/nn/linear.h"

namespace lowbit::models {
namespace {

constexpr double kBaseWidth = 64;

// Stem -> stages of residual blocks -> global average -> classifier.
class ResNet : public Network {
 public:
  ResNet(const config::ModelOptions& options, const std::vector<int>& blocks, bool bottleneck);

 protected:
  torch::Tensor logits(const torch::Tensor& images) override;

 private:
  torch::Tensor stem(const torch::Tensor& images) const;
  // Registers the stages as layer1, layer2, ...; the number of channels that leave the last one.
  int64_t add_stages(int64_t width, const std::vector<int>& blocks, bool bottleneck);
  // The norms outside the blocks: behind the stem and, with preBN, before the last pooling.
  void add_norms(int64_t width, int64_t features);
  // https://arxiv.org/abs/1901.09321: the classifier starts at 0.
  void add_fixup();

  nn::LayerPtr stem_conv_;
  nn::LayerPtr stem_pool_, stem_norm_, last_norm_;  // null: none
  std::vector<nn::LayerPtr> stages_;
  nn::LayerPtr classifier_;
  torch::Tensor stem_bias_, classifier_bias_;  // scalars of Fixup; undefined: none
};

ResNet::ResNet(const config::ModelOptions& options, const std::vector<int>& blocks, bool bottleneck)
    : Network(options) {
  const auto width = static_cast<int64_t>(kBaseWidth * options.width_alpha);
  if (width < 1) throw core::usage_error("--width_alpha {} leaves no channel", options.width_alpha);
  stem_conv_ = register_module("conv1", make_stem_conv(width, options));
  stem_pool_ = make_stem_pool(options);
  if (stem_pool_) register_module("maxpool", stem_pool_);
  const int64_t features = add_stages(width, blocks, bottleneck);
  add_norms(width, features);
  classifier_ = register_module("fc", std::make_shared<nn::Linear>(features, options.num_classes));
  if (options.fixup) add_fixup();
  modules_are_complete();
}

int64_t ResNet::add_stages(int64_t width, const std::vector<int>& blocks, bool bottleneck) {
  int64_t channels = width;
  for (size_t i = 0; i < blocks.size(); ++i) {
    std::vector<nn::LayerPtr> stage;
    for (int block = 0; block < blocks[i]; ++block) {
      const BlockShape shape{.in = channels,
                             .planes = width << i,
                             .stride = block == 0 && i > 0 ? 2 : 1,
                             .bottleneck = bottleneck};
      if (options().fixup)
        stage.push_back(
            std::make_shared<FixupBlock>(shape, options(), static_cast<int64_t>(blocks.size())));
      else
        stage.push_back(std::make_shared<ResidualBlock>(shape, options()));
      channels = shape.out();
    }
    if (stage.empty()) continue;
    stages_.push_back(register_module(fmt::format("layer{}", i + 1),
                                      std::make_shared<nn::Sequence>(std::move(stage))));
  }
  return channels;
}

void ResNet::add_norms(int64_t width, int64_t features) {
  const config::ModelOptions& o = options();
  const auto norm = [&](const char* name, int64_t channels, bool activates) {
    std::vector<nn::LayerPtr> layers = {make_block_norm(channels, o)};
    if (activates) layers.push_back(nn::make_activation(o.activation));
    return register_module(name, std::make_shared<nn::Sequence>(layers));
  };
  const bool patched = o.pre_norm && o.patch_pre_norm_stem;
  if (!o.pre_norm || (patched && o.fix_pooling)) stem_norm_ = norm("bn1", width, !o.group_net);
  if (o.pre_norm) last_norm_ = norm("bn2", features, patched);
}

void ResNet::add_fixup() {
  const torch::NoGradGuard no_grad;
  for (torch::Tensor& parameter : classifier_->parameters()) parameter.zero_();
  if (!options().fixup_bias) return;
  stem_bias_ = register_parameter("fixup_bias1", torch::zeros({1}));
  classifier_bias_ = register_parameter("fixup_bias2", torch::zeros({1}));
}

torch::Tensor ResNet::stem(const torch::Tensor& images) const {
  const auto pool = [&](const torch::Tensor& x) { return stem_pool_ ? stem_pool_->forward(x) : x; };
  const auto norm = [&](const torch::Tensor& x) { return stem_norm_ ? stem_norm_->forward(x) : x; };
  const torch::Tensor x = add_scalar(stem_conv_->forward(images), stem_bias_);
  return options().fix_pooling ? pool(norm(x)) : norm(pool(x));
}

torch::Tensor ResNet::logits(const torch::Tensor& images) {
  torch::Tensor x = stem(images);
  for (const nn::LayerPtr& stage : stages_) x = stage->forward(x);
  if (last_norm_) x = last_norm_->forward(x);
  return classifier_->forward(add_scalar(x.mean({2, 3}), classifier_bias_));
}

}  // namespace

std::shared_ptr<Network> make_resnet(const config::ModelOptions& options,
                                     const std::vector<int>& blocks, bool bottleneck) {
  return std::make_shared<ResNet>(options, blocks, bottleneck);
}

}  // namespace lowbit::models
