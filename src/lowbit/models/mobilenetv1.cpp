#include "lowbit/models/mobilenetv1.h"

#include "lowbit/models/mobilenet_stem.h"
#include "lowbit/models/separable_block.h"
#include "lowbit/models/width.h"

namespace lowbit::models {
namespace {

constexpr int64_t kV1StemWidth = 32;

struct BlockRow {
  int64_t width;
  int64_t stride = 1;
};
constexpr BlockRow kBlocks[] = {{64},  {128, 2}, {128}, {256, 2}, {256},     {512, 2}, {512},
                                {512}, {512},    {512}, {512},    {1024, 2}, {1024}};

// Stem -> 13 blocks -> (norm and activation) -> global average -> classifier.
class MobileNetV1 : public Network {
 public:
  explicit MobileNetV1(const config::ModelOptions& options);

 protected:
  torch::Tensor logits(const torch::Tensor& images) override {
    torch::Tensor x = images;
    for (const nn::LayerPtr& layer : features_) x = layer->forward(x);
    return classifier_->forward(x.mean({2, 3}));
  }

 private:
  std::vector<nn::LayerPtr> features_;
  nn::LayerPtr classifier_;
};

MobileNetV1::MobileNetV1(const config::ModelOptions& options) : Network(options) {
  int64_t channels = scaled_width(kV1StemWidth, options);
  features_.push_back(register_module("root", make_mobilenet_stem(channels, options)));
  std::vector<nn::LayerPtr> blocks;
  for (const BlockRow& row : kBlocks) {
    const int64_t out = scaled_width(row.width, options);
    blocks.push_back(std::make_shared<SeparableBlock>(channels, out, row.stride, options));
    channels = out;
  }
  features_.push_back(register_module("model", std::make_shared<nn::Sequence>(std::move(blocks))));
  if (options.pre_norm)
    features_.push_back(register_module(
        "bn2", std::make_shared<nn::Sequence>(std::vector{
                   nn::make_norm(channels, options), nn::make_activation(options.activation)})));
  classifier_ = register_module(
      "classifier",
      std::make_shared<nn::Sequence>(std::vector{make_last_linear(channels, options)}));
  modules_are_complete();
}

}  // namespace

std::shared_ptr<Network> make_mobilenetv1(const config::ModelOptions& options) {
  return std::make_shared<MobileNetV1>(options);
}

}  // namespace lowbit::models
