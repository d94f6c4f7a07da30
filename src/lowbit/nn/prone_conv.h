// A 3x3 convolution replaced by reshapes and a point-wise convolution.
#pragma once

#include "lowbit/config/model_options.h"
#include "lowbit/nn/conv.h"

namespace lowbit::nn {

// x [B, in, H, W] -> [B, out, H / stride, W / stride]
//
// Cells of 2 * stride pixels become channels, a 1x1 convolution (child `conv`, quantized) maps them
// to 4 * out channels, and cells of 2 x 2 pixels are restored from these. With
// options.norm_before_restore a norm of the 4 * out channels (child `bn`) stands before the
// restoring.
//
// If 2 * stride does not divide H, (2 * stride - H mod 2 * stride) / 2 zeros are padded on all
// sides, so the result is larger than H / stride; an odd H is an Error (usage).
class ProneConv : public Layer {
 public:
  ProneConv(int64_t in, int64_t out, int64_t stride, const config::ModelOptions& options);

  // Null: none.
  const LayerPtr& norm() const { return norm_; }
  Conv2d& conv() { return *conv_; }

 protected:
  torch::Tensor compute(const torch::Tensor& x) override;

 private:
  int64_t cell_;
  std::shared_ptr<Conv2d> conv_;
  LayerPtr norm_;
};

}  // namespace lowbit::nn
