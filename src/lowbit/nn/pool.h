// Pooling layers.
#pragma once

#include "lowbit/nn/layer.h"
#include "lowbit/nn/max_pool.h"

namespace lowbit::nn {

// Mean over windows of size x size pixels; a rest at the border is dropped. Padded zeros count.
class AveragePool : public Layer {
 public:
  // Cells side by side.
  explicit AveragePool(int64_t size) : AveragePool(size, size, 0) {}
  AveragePool(int64_t size, int64_t stride, int64_t padding)
      : size_(size), stride_(stride), padding_(padding) {}

 protected:
  torch::Tensor compute(const torch::Tensor& x) override {
    return torch::avg_pool2d(x, size_, stride_, padding_);
  }

 private:
  int64_t size_, stride_, padding_;
};

// Maximum over windows of size x size pixels. A rest at the border is dropped, or with `ceil` a
// window of its own.
class MaxPool : public Layer {
 public:
  MaxPool(int64_t size, int64_t stride, int64_t padding, bool ceil = false)
      : size_(size), stride_(stride), padding_(padding), ceil_(ceil) {}

 protected:
  torch::Tensor compute(const torch::Tensor& x) override {
    return max_pool(x, {size_, stride_, padding_, ceil_});
  }

 private:
  int64_t size_, stride_, padding_;
  bool ceil_;
};

// That of the stem for large images.
class StemPool : public MaxPool {
 public:
  StemPool() : MaxPool(/*size=*/3, /*stride=*/2, /*padding=*/1) {}
};

}  // namespace lowbit::nn
