// What a ResNet does with the images before its blocks: convolution and pooling.
#pragma once

#include "lowbit/config/model_options.h"
#include "lowbit/nn/layer.h"

namespace lowbit::models {

// images [B, 3, H, W] -> [B, width, H / s, W / s], never quantized. s is 1 with the cifar stem
// (3x3), 4 or 2 with a space-to-depth stem (1x1 or 3x3), otherwise 2 (7x7).
nn::LayerPtr make_stem_conv(int64_t width, const config::ModelOptions& options);

// The pooling behind it; null: none.
nn::LayerPtr make_stem_pool(const config::ModelOptions& options);

}  // namespace lowbit::models
