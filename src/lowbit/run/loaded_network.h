// A checkpoint as the network that it was saved from.
#pragma once

#include <memory>
#include <string>

#include "lowbit/checkpoint/state_dict.h"
#include "lowbit/config/model_options.h"
#include "lowbit/models/network.h"

namespace lowbit::run {

struct LoadedNetwork {
  std::shared_ptr<models::Network> network;
  checkpoint::LoadReport report;
};

// As load_state() of state_dict.h; its errors name `path`. Then quantizers follow their options
// (models::Network::follow_options): a warning says where the file had other levels.
checkpoint::LoadReport load_state(models::Network& network, const checkpoint::Value& file,
                                  const checkpoint::LoadScope& scope, const std::string& path);

// As require_finite() of state_dict.h; its errors name `path`. Every use of a network's answers
// (training, evaluation, export) calls it; listing what a file holds does not.
void require_finite(const models::Network& network, const std::string& path);

// The network of the options on the CPU with the weights of `file`, after what its policy had
// changed when it was saved. Errors name `path`.
LoadedNetwork load_network(const config::ModelOptions& options, const checkpoint::Value& file,
                           const std::string& path);

}  // namespace lowbit::run
