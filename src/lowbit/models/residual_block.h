// The residual block: basic and bottleneck, in every order, with one skip or several.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lowbit/models/block_order.h"
#include "lowbit/models/block_shape.h"
#include "lowbit/models/branch.h"
#include "lowbit/nn/layer.h"

namespace lowbit::models {

// x [B, in, H, W] -> [B, out, H / stride, W / stride]
//
// With `origin` one skip around the block: y = branch(x) + shortcut(x); without (Bi-Real,
// https://arxiv.org/abs/1808.00278) one around each convolution: the shortcut around the first, the
// convolution's own input around every later one. With `origin` and `fix` the last activation of
// the branch stands behind the sum, or the branch gets a further norm, as the order's row says.
//
// options.base > 1 (Group-Net, https://arxiv.org/abs/1811.10413): that many branches, summed with
// learned scales. Skips around convolutions are inside each branch. Where they can be, branches are
// computed next to each other (branch.h).
//
// ReShapeResolution: a lossless reduction (shrink.h) precedes the block, or takes its place.
class ResidualBlock : public nn::Layer {
 public:
  // A bottleneck without `origin` is an Error (usage).
  ResidualBlock(const BlockShape& shape, const config::ModelOptions& options);

 protected:
  torch::Tensor compute(const torch::Tensor& x) override;
  // What is left to do on the input of the convolutions.
  virtual torch::Tensor compute_block(const torch::Tensor& x);
  // The end of a block with one skip.
  torch::Tensor join(nn::Deferred branch, const torch::Tensor& shortcut) const;

  const OrderRow& order() const { return order_; }
  const std::vector<Branch>& branches() const { return branches_; }
  bool is_replaced() const { return replaced_; }
  // Null: the identity.
  const nn::LayerPtr& shortcut() const { return shortcut_; }

 private:
  // These register, in the order of checkpoints, one list for each convolution of the block, with
  // a layer for each branch.
  void add_activations(const std::vector<UnitShape>& units, const config::ModelOptions& options);
  void add_norms(const std::vector<UnitShape>& units, int64_t out,
                 const config::ModelOptions& options);
  void add_convs(const std::vector<UnitShape>& units, const config::ModelOptions& options);
  // `part`: the member of Unit; make(): a new layer.
  template <class Make>
  void add_list(const std::string& name, size_t unit, nn::LayerPtr Unit::*part, Make make);
  void start_at_zero();

  // The sum of the branches.
  nn::Deferred run_branches(const torch::Tensor& x, const torch::Tensor& shortcut) const;

  const OrderRow& order_;
  bool block_skip_, conv_skips_;  // one around the block, one around each convolution
  bool replaced_;                 // the block is shrink_ alone
  std::vector<Branch> branches_;
  nn::LayerPtr fix_activation_, fix_norm_;  // null: none
  nn::LayerPtr shrink_;                     // null: none
  nn::LayerPtr shortcut_;                   // null: the identity
  std::vector<torch::Tensor> scales_;       // of the branches, [1] each; empty: one branch
};

}  // namespace lowbit::models
