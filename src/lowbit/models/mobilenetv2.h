// MobileNet V2 (https://arxiv.org/abs/1801.04381) of inverted residual blocks.
#pragma once

#include <memory>

#include "lowbit/models/network.h"

namespace lowbit::models {

// Every width is int(width_alpha * width), but the last one never less than 1280.
std::shared_ptr<Network> make_mobilenetv2(const config::ModelOptions& options);

}  // namespace lowbit::models
