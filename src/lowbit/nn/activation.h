// Activation layers by keyword.
#pragma once

#include "lowbit/config/model_options.h"
#include "lowbit/nn/layer.h"

namespace lowbit::nn {

// ReLU, PReLU (one learned slope, 0.25 at the start), none, ReLU6, or leaky ReLU (slope 0.01).
LayerPtr make_activation(config::Activation activation);

}  // namespace lowbit::nn
