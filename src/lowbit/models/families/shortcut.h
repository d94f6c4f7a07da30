// The way around the convolutions of a block, and the reduction ahead of one.
#pragma once

#include "lowbit/models/block_order.h"
#include "lowbit/models/families/layers.h"

namespace lowbit::models::families {

// x [in, H, W] -> [out, H / stride, W / stride], under the name `skip`. Where neither stride nor
// width changes x itself, with `identity_norm` a norm of it. Else:
//
//   [average pool][the row's steps around a 1x1 convolution, where the width changes]
//
// with `singleconv` the convolution takes the stride, not the pool; with `DCHR` the channels are
// repeated instead, as often as out / in says (no whole number: an Error, usage).
ValueId shortcut(Builder& b, ValueId x, int64_t out, int64_t stride, const OrderRow& order,
                 const config::ModelOptions& options);

// x [in, H, W] -> [out, H / stride, W / stride], under the name `shrink`: keyword
// ReShapeResolution. The letters of options.shrink_order are its layers; the convolution (exactly
// one, else an Error, usage) sees cells of stride x stride pixels as channels. It is 1x1, or with
// `ldn3x3` 3x3.
ValueId shrink(Builder& b, ValueId x, int64_t out, int64_t stride,
               const config::ModelOptions& options);

}  // namespace lowbit::models::families
