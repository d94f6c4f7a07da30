// The residual block of two 3x3 convolutions.
#pragma once

#include <memory>
#include <vector>

#include "lowbit/models/block_order.h"
#include "lowbit/nn/layer.h"

namespace lowbit::models {

struct BlockShape {
  int64_t in, out;  // channels
  int64_t stride;
};

// x [B, in, H, W] -> [B, out, H / stride, W / stride]
//
// With `origin` one skip around the block: y = branch(x) + shortcut(x); without (Bi-Real,
// https://arxiv.org/abs/1808.00278) one around each convolution: the shortcut around the first, the
// convolution's own input around the second. With `origin` and `fix` the last activation of the
// branch stands behind the sum.
class ResidualBlock : public nn::Layer {
 public:
  ResidualBlock(const BlockShape& shape, const config::ModelOptions& options);

 protected:
  torch::Tensor compute(const torch::Tensor& x) override;

 private:
  // One convolution with what stands around it.
  struct Unit {
    nn::LayerPtr conv, norm, activation;
  };

  // `skip` is added where the order says so; undefined: nowhere.
  torch::Tensor run(const Unit& unit, const torch::Tensor& x, const torch::Tensor& skip) const;

  const OrderRow& order_;
  bool origin_;
  std::vector<Unit> units_;
  nn::LayerPtr fix_activation_;  // null: none
  nn::LayerPtr shortcut_;        // null: the identity
};

}  // namespace lowbit::models
