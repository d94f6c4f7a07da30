// The block of MobileNet V2: a 1x1 convolution that widens, a depth-wise one, a 1x1 one that
// narrows.
#pragma once

#include <vector>

#include "lowbit/config/model_options.h"
#include "lowbit/nn/layer.h"

namespace lowbit::models {

struct InvertedShape {
  int64_t in, out;    // channels
  int64_t expansion;  // of the depth-wise convolution's width; 1: without the first convolution
  int64_t stride;
};

// x [B, in, H, W] -> [B, out, H / stride, W / stride]; added to x where neither stride nor width
// changes.
//
//   cbas: each convolution, norm, activation; the last one without activation (linear bottleneck).
//   bacs: norm, activation, each convolution; the sum is stem_bn(branch) + skip_bn(x).
class InvertedResidual : public nn::Layer {
 public:
  InvertedResidual(const InvertedShape& shape, const config::ModelOptions& options);

 protected:
  torch::Tensor compute(const torch::Tensor& x) override;

 private:
  struct Unit {
    nn::LayerPtr conv, norm;
    nn::LayerPtr activation;  // null: none
  };

  void add_convs(const InvertedShape& shape, const config::ModelOptions& options);
  void add_norms(const InvertedShape& shape, const config::ModelOptions& options);
  torch::Tensor branch(const torch::Tensor& x) const;

  bool conv_first_, residual_;
  std::vector<Unit> units_;
  nn::LayerPtr skip_norm_, stem_norm_;  // null: none
};

}  // namespace lowbit::models
