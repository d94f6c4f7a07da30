// VGG-small, the network for CIFAR of LQ-Nets (https://arxiv.org/abs/1807.10029).
#pragma once

#include <memory>

#include "lowbit/models/network.h"

namespace lowbit::models {

// options.unit_order must be given, and options.input_size be at least 8, else an Error (usage).
std::shared_ptr<Network> make_vgg_small(const config::ModelOptions& options);

}  // namespace lowbit::models
