// The residual block of the ResNets: basic and bottleneck, in every order.
#pragma once

#include "lowbit/models/block_shape.h"
#include "lowbit/models/families/layers.h"

namespace lowbit::models::families {

// x [in, H, W] -> [out, H / stride, W / stride]; the open scope is the block's.
//
// With `origin` one skip around the block: y = branch(x) + shortcut(x); without (Bi-Real,
// https://arxiv.org/abs/1808.00278) one around each convolution: the shortcut around the first, the
// convolution's own input around every later one. With `origin` and `fix` the last activation of
// the branch stands behind the sum, or the branch gets a further norm, as the order's row says.
//
// options.base > 1 (Group-Net, https://arxiv.org/abs/1811.10413): that many branches, summed with
// learned scales. Skips around convolutions are inside each branch.
//
// ReShapeResolution: a lossless reduction precedes the block, or takes its place.
//
// fixup (https://arxiv.org/abs/1901.09321): no norms; a learned factor on the branch and, with
// options.fixup_bias, a learned scalar before and behind each convolution:
//
//   y = act(conv1(x + 1a) + 1b);  y = conv2(y + 2a);  y = act(y), unless `fix`
//   y = fixup_scale * y + 2b + shortcut;  y = act(y) with `fix`
//
// With order cbas the inner 1b stands behind its activation. A bottleneck has act(conv2(y + 2a) +
// 2b) and conv3(y + 3a) likewise. The shortcut starts from x + 1a where it changes the shape, from
// x where it does not. At the start the branch is 0 and the other convolutions are Kaiming-normal
// times stages^(-1 / (2 n - 2)), n the number of convolutions.
//
// Errors (usage): a bottleneck without `origin`; fixup with other orders than cbas and cbsa, with
// several branches, or with keyword f0x0; what shortcut() and shrink() refuse.
ValueId residual_block(Builder& b, ValueId x, const BlockShape& shape,
                       const config::ModelOptions& options, int64_t stages);

}  // namespace lowbit::models::families
