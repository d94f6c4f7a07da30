// Activation layers by keyword.
#pragma once

#include <optional>

#include "lowbit/config/model_options.h"
#include "lowbit/kernels/math/norm_activation.h"
#include "lowbit/nn/layer.h"

namespace lowbit::nn {

// ReLU, PReLU (one learned slope, 0.25 at the start), none, ReLU6, or leaky ReLU (slope 0.01).
LayerPtr make_activation(config::Activation activation);

// What the passes of a norm (nn/norm_pass.h) can do on their way; nothing where the layer is
// another activation, or somebody watches it.
std::optional<kernels::NormActivation> norm_activation(const Layer& layer);

}  // namespace lowbit::nn
