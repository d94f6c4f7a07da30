// A checkpoint as a network: from its own description, or from options.
#pragma once

#include <memory>
#include <string>

#include "commands.h"
#include "lowbit/config/parse.h"
#include "lowbit/models/network.h"
#include "lowbit/train/state_dict.h"

namespace lowbit::app {

// The configuration of the run that wrote the file, changed by `options`; of a file without a
// description that of the options alone, and a usage error with an example if there are none.
// for_network: nothing is trained or evaluated, as config::parse_network. Logs warnings.
config::Configuration configuration_of(const train::Value& file, const std::string& path,
                                       const Arguments& options, bool for_network);

// The network of the options on the CPU with the weights of `file`. Errors name `path`.
struct LoadedNetwork {
  std::shared_ptr<models::Network> network;
  train::LoadReport report;
};
LoadedNetwork load_network(const config::Options& options, const train::Value& file,
                           const std::string& path);

}  // namespace lowbit::app
