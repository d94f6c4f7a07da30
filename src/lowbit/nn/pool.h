// Pooling layers.
#pragma once

#include "lowbit/nn/layer.h"

namespace lowbit::nn {

// Mean over cells of size x size pixels; a rest at the border is dropped.
class AveragePool : public Layer {
 public:
  explicit AveragePool(int64_t size) : size_(size) {}

 protected:
  torch::Tensor compute(const torch::Tensor& x) override {
    return torch::avg_pool2d(x, size_, size_);
  }

 private:
  int64_t size_;
};

// Maximum over windows of 3 x 3 pixels, stride 2, padding 1.
class StemPool : public Layer {
 protected:
  torch::Tensor compute(const torch::Tensor& x) override {
    return torch::max_pool2d(x, /*kernel_size=*/3, /*stride=*/2, /*padding=*/1);
  }
};

}  // namespace lowbit::nn
