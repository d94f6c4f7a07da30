// The branches of a residual block, and all of them as one.
#pragma once

#include <vector>

#include "lowbit/models/block_order.h"
#include "lowbit/nn/deferred.h"
#include "lowbit/nn/layer.h"

namespace lowbit::models {

// One convolution of a block with what stands around it.
struct Unit {
  nn::LayerPtr conv, norm, activation;
};
using Branch = std::vector<Unit>;

// Adds the skip that goes around what has made y. Sizes that do not fit are an Error (usage).
void add_skip(nn::Deferred& y, const torch::Tensor& skip);

// x [B, in, H, W] -> [B, out, H', W'].
// shortcut: what is added after the first unit where the order says so; after each further one it
// is what entered that. Undefined: no unit has a skip.
nn::Deferred run_branch(const OrderRow& order, const Branch& branch, const torch::Tensor& x,
                        const torch::Tensor& shortcut);

// Whether run_joined() computes these: convolutions that can be joined (nn::QuantConv2d::can_join),
// batch norms or none, activations without parameters, and no layer with a probe, which would see
// all branches at once.
bool can_join(const std::vector<Branch>& branches);

// The sum over k of scales[k] [1] times run_branch() of branch k, to rounding, with all branches
// next to each other as channels: a few large kernels instead of many small ones. On a GPU three
// branches then take half the time. Needs can_join().
torch::Tensor run_joined(const OrderRow& order, const std::vector<Branch>& branches,
                         const std::vector<torch::Tensor>& scales, const torch::Tensor& x,
                         const torch::Tensor& shortcut);

}  // namespace lowbit::models
