// Lossless downsampling before a block (keyword ReShapeResolution).
#pragma once

#include "lowbit/config/model_options.h"
#include "lowbit/nn/layer.h"

namespace lowbit::models {

// x [B, in, H, W] -> [B, out, H / stride, W / stride] by the letters of options.shrink_order: c is
// a space-to-depth of cells of stride x stride pixels with a 1x1 convolution (3x3 with
// options.shrink_full), b a norm, a an activation. Not exactly one c is an Error (usage).
nn::LayerPtr make_shrink(int64_t in, int64_t out, int64_t stride,
                         const config::ModelOptions& options);

}  // namespace lowbit::models
