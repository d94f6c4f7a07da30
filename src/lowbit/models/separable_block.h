// The block of MobileNet V1: a depth-wise 3x3 convolution and a point-wise one.
#pragma once

#include <vector>

#include "lowbit/models/block_order.h"
#include "lowbit/nn/layer.h"

namespace lowbit::models {

// x [B, in, H, W] -> [B, out, H / stride, W / stride]
//
// Each convolution stands among norm, activation and skip in the order of the row (cbas, cbsa or
// bacs). Without `origin` the skips are, by keyword:
//
//   bireal      each convolution's own input, where neither stride nor width changes;
//   + react     elsewhere, too (not with bacs): pooled by the stride around the depth-wise one,
//               repeated along the channels around the point-wise one, which then consists of
//               out / in convolutions of width `in`, concatenated;
//   block_skip  the shortcut of a ResNet block, around both, added at the point-wise one.
class SeparableBlock : public nn::Layer {
 public:
  SeparableBlock(int64_t in, int64_t out, int64_t stride, const config::ModelOptions& options);

 protected:
  torch::Tensor compute(const torch::Tensor& x) override;

 private:
  // One convolution, or several side by side, with what stands around it.
  struct Unit {
    std::vector<nn::LayerPtr> convs;
    nn::LayerPtr norm, activation;
    nn::LayerPtr skip;  // what leads around it alone; null: nothing
  };

  void add_norms_and_activations(const config::ModelOptions& options);
  void add_skips(const config::ModelOptions& options);
  void add_convs(const config::ModelOptions& options);
  // `skip` is added where the order says so; undefined: nowhere.
  torch::Tensor run(const Unit& unit, const torch::Tensor& x, const torch::Tensor& skip) const;

  const OrderRow& order_;
  const int64_t in_, out_, stride_;
  Unit depth_, point_;
  int64_t point_convs_ = 1;
  bool block_skip_;
  nn::LayerPtr shortcut_;  // of block_skip; null: the identity
};

}  // namespace lowbit::models
