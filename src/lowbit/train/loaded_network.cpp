#include "lowbit/train/loaded_network.h"

#include "lowbit/core/error.h"
#include "lowbit/models/factory.h"
#include "lowbit/models/policy.h"
#include "lowbit/train/run_state.h"

namespace lowbit::train {

LoadReport load_state(models::Network& network, const Value& file, const LoadScope& scope,
                      const std::string& path) {
  try {
    return load_state(network, file, scope);
  } catch (core::Error& error) {
    error.at(path);
    throw;
  }
}

void require_finite(const models::Network& network, const std::string& path) {
  try {
    require_finite(network);
  } catch (core::Error& error) {
    error.at(path).detail("the run that saved it diverged, or the file is damaged");
    throw;
  }
}

LoadedNetwork load_network(const config::ModelOptions& options, const Value& file,
                           const std::string& path) {
  LoadedNetwork loaded{models::make_network(options), {}};
  if (has_description(file)) models::apply_policy_until(*loaded.network, policy_epoch_of(file));
  loaded.report = load_state(*loaded.network, file, {}, path);
  return loaded;
}

}  // namespace lowbit::train
