// From options to a network.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lowbit/models/network.h"

namespace lowbit::models {

// The network options.name, its policy for `on init` applied, on the CPU, in float32 and training
// mode, its weights drawn from torch's default generator of the CPU (torch::manual_seed). An
// unknown name, or options that the family cannot have, are an Error (usage).
std::shared_ptr<Network> make_network(const config::ModelOptions& options);

// The same network without quantizers, and so without a policy.
config::ModelOptions full_precision(config::ModelOptions options);

// All values of options.name.
std::vector<std::string> network_names();

}  // namespace lowbit::models
