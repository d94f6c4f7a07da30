// The way around the convolutions of a residual block.
#pragma once

#include "lowbit/models/block_order.h"
#include "lowbit/nn/layer.h"

namespace lowbit::models {

// x [B, in, H, W] -> [B, out, H / stride, W / stride]; null: x itself. Where stride or width
// changes:
//
//   [average pool, or identity][the row's steps around a 1x1 convolution, where the width changes]
//
// with `singleconv` the convolution takes the stride, not the pool; with `DCHR` the channels are
// repeated instead. `identity_norm` adds a norm where the width stays.
nn::LayerPtr make_shortcut(int64_t in, int64_t out, int64_t stride, const OrderRow& order,
                           const config::ModelOptions& options);

}  // namespace lowbit::models
