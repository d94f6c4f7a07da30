// The flexible ResNet (https://arxiv.org/abs/1512.03385) : the order inside a block, the skips, the
// shortcuts and the stem are options.
#pragma once

#include <memory>
#include <vector>

#include "lowbit/models/network.h"

namespace lowbit::models {

// blocks[i]: number of blocks of stage i, whose width is int(64 * width_alpha) * 2^i, that of a
// bottleneck's end four times as much; a stage of 0 blocks is left out but keeps its place. Options
// that contradict each other are an Error (usage).
std::shared_ptr<Network> make_resnet(const config::ModelOptions& options,
                                     const std::vector<int>& blocks, bool bottleneck = false);

}  // namespace lowbit::models
