// Network in network (https://arxiv.org/abs/1312.4400) for CIFAR.
#pragma once

#include <memory>

#include "lowbit/models/network.h"

namespace lowbit::models {

std::shared_ptr<Network> make_nin(const config::ModelOptions& options);

}  // namespace lowbit::models
