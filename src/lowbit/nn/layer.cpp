#include "lowbit/nn/layer.h"

#include "lowbit/nn/deferred.h"

namespace lowbit::nn {

Sequence::Sequence(std::vector<LayerPtr> layers) : layers_(std::move(layers)) {
  for (size_t i = 0; i < layers_.size(); ++i) register_module(std::to_string(i), layers_[i]);
}

torch::Tensor Sequence::compute(const torch::Tensor& x) {
  Deferred y(x);
  for (const LayerPtr& layer : layers_) y.pass_through(*layer);
  return y.tensor();
}

}  // namespace lowbit::nn
