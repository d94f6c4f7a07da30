#include "lowbit/models/mobilenetv2.h"

#include <algorithm>

#include "lowbit/models/inverted_residual.h"
#include "lowbit/models/mobilenet_stem.h"
#include "lowbit/models/width.h"
#include "lowbit/nn/quant_conv.h"

namespace lowbit::models {
namespace {

constexpr int64_t kV2StemWidth = 32;
constexpr int64_t kLastWidth = 1280;

// `count` blocks; the stride is the first one's.
struct Stage {
  int64_t expansion, width;
  int count;
  int64_t stride;
};
constexpr Stage kStages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                             {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};

// features (stem, blocks, a 1x1 convolution) -> global average -> classifier.
class MobileNetV2 : public Network {
 public:
  explicit MobileNetV2(const config::ModelOptions& options);

 protected:
  torch::Tensor logits(const torch::Tensor& images) override {
    return classifier_->forward(features_->forward(images).mean({2, 3}));
  }

 private:
  // Appends the stages' blocks; the number of channels that leave the last one.
  int64_t add_blocks(int64_t channels, std::vector<nn::LayerPtr>& layers) const;

  nn::LayerPtr features_, classifier_;
};

MobileNetV2::MobileNetV2(const config::ModelOptions& options) : Network(options) {
  const int64_t stem_width = scaled_width(kV2StemWidth, options);
  const int64_t last_width = std::max(kLastWidth, scaled_width(kLastWidth, options));
  std::vector<nn::LayerPtr> layers = {make_mobilenet_stem(stem_width, options)};
  const int64_t channels = add_blocks(stem_width, layers);
  const nn::ConvShape last = {.in = channels, .out = last_width, .kernel = 1};
  layers.push_back(with_norm_and_activation(std::make_shared<nn::QuantConv2d>(last, options),
                                            last_width, options));
  features_ = register_module("features", std::make_shared<nn::Sequence>(std::move(layers)));
  classifier_ = register_module(
      "classifier",
      std::make_shared<nn::Sequence>(std::vector{make_last_linear(last_width, options)}));
  modules_are_complete();
}

int64_t MobileNetV2::add_blocks(int64_t channels, std::vector<nn::LayerPtr>& layers) const {
  for (const Stage& stage : kStages) {
    const bool keeps_size = options().cifar_stem && &stage == &kStages[1];
    const int64_t out = scaled_width(stage.width, options());
    for (int i = 0; i < scaled_count(stage.count, options()); ++i) {
      const int64_t stride = i > 0 || keeps_size ? 1 : stage.stride;
      layers.push_back(std::make_shared<InvertedResidual>(
          InvertedShape{channels, out, stage.expansion, stride}, options()));
      channels = out;
    }
  }
  return channels;
}

}  // namespace

std::shared_ptr<Network> make_mobilenetv2(const config::ModelOptions& options) {
  return std::make_shared<MobileNetV2>(options);
}

}  // namespace lowbit::models
