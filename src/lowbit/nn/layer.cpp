#include "lowbit/nn/layer.h"

namespace lowbit::nn {

Sequence::Sequence(std::vector<LayerPtr> layers) : layers_(std::move(layers)) {
  for (size_t i = 0; i < layers_.size(); ++i) register_module(std::to_string(i), layers_[i]);
}

torch::Tensor Sequence::compute(const torch::Tensor& x) {
  torch::Tensor y = x;
  for (const LayerPtr& layer : layers_) y = layer->forward(y);
  return y;
}

}  // namespace lowbit::nn
