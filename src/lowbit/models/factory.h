// From options to a network.
#pragma once

#include <memory>

#include "lowbit/models/network.h"

namespace lowbit::models {

// Network(options) with its policy for `on init` applied.
std::shared_ptr<Network> make_network(const config::ModelOptions& options);

// The same network without quantizers, and so without a policy.
config::ModelOptions full_precision(config::ModelOptions options);

}  // namespace lowbit::models
