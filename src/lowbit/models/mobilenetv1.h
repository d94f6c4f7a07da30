// MobileNet (https://arxiv.org/abs/1704.04861) of depthwise-separable blocks, with the skips of
// Bi-Real (https://arxiv.org/abs/1808.00278) and ReActNet (https://arxiv.org/abs/2003.03488), or
// one around each block, as keywords.
#pragma once

#include <memory>

#include "lowbit/models/network.h"

namespace lowbit::models {

// Every width is int(width_alpha * width). Options that contradict each other are an Error (usage).
std::shared_ptr<Network> make_mobilenetv1(const config::ModelOptions& options);

}  // namespace lowbit::models
