// A full-precision convolution whose arithmetic has the type of its input.
#pragma once

#include "lowbit/nn/layer.h"

namespace lowbit::nn {

struct ConvShape {
  int64_t in, out;     // channels
  int64_t kernel = 3;  // a side of the square kernel
  int64_t stride = 1;
  int64_t padding = 0;
  int64_t groups = 1;
  bool bias = false;

  bool operator==(const ConvShape&) const = default;
};

// weight [O, I / groups, k, k] and bias [O] are masters: float32, or float64 in a float64 network.
// They are cast to the type of the input in every pass, so that a float16 or bfloat16 input is all
// that half precision takes.
class Conv2d : public Layer {
 public:
  // weight: Kaiming-normal (fan out), from the default generator of the CPU; bias 0.
  explicit Conv2d(const ConvShape& shape);

  const ConvShape& shape() const { return shape_; }
  torch::Tensor& weight() { return weight_; }

  // Lays the master weight out as channels-last, so that its cast or quantized form is, too.
  void use_channels_last();

 protected:
  // x [B, I, H, W] -> [B, O, H', W']
  torch::Tensor compute(const torch::Tensor& x) override;
  // With the given weight and bias (undefined: none), of the type of x, padding and groups instead
  // of the layer's.
  torch::Tensor convolve(const torch::Tensor& x, const torch::Tensor& weight,
                         const torch::Tensor& bias, int64_t padding, int64_t groups) const;
  // The layer's; undefined: none.
  torch::Tensor bias(torch::ScalarType type) const {
    return bias_.defined() ? bias_.to(type) : bias_;
  }

 private:
  ConvShape shape_;
  torch::Tensor weight_, bias_;
};

}  // namespace lowbit::nn
