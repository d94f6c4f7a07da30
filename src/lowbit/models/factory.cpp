#include "lowbit/models/factory.h"

#include "lowbit/models/policy.h"

namespace lowbit::models {

config::ModelOptions full_precision(config::ModelOptions options) {
  options.fm.enable = options.wt.enable = options.ot.enable = false;
  options.policy = {};
  return options;
}

std::shared_ptr<Network> make_network(const config::ModelOptions& options) {
  const auto network = std::make_shared<Network>(options);
  apply_policy(*network, config::PolicyEvent::init);
  return network;
}

}  // namespace lowbit::models
