// What the MobileNets share: their stem, and a convolution with what follows it.
#pragma once

#include "lowbit/models/end_layers.h"
#include "lowbit/nn/activation.h"
#include "lowbit/nn/norm.h"

namespace lowbit::models {

inline nn::LayerPtr with_norm_and_activation(nn::LayerPtr conv, int64_t width,
                                             const config::ModelOptions& options) {
  return std::make_shared<nn::Sequence>(std::vector{std::move(conv), nn::make_norm(width, options),
                                                    nn::make_activation(options.activation)});
}

// A 3x3 convolution of the image, with `pre_norm` bare, else with norm and activation.
inline nn::LayerPtr make_mobilenet_stem(int64_t width, const config::ModelOptions& options) {
  nn::LayerPtr conv = make_first_conv(
      {.in = 3, .out = width, .kernel = 3, .stride = options.cifar_stem ? 1 : 2, .padding = 1},
      options);
  return options.pre_norm ? conv : with_norm_and_activation(std::move(conv), width, options);
}

}  // namespace lowbit::models
