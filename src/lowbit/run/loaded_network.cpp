#include "lowbit/run/loaded_network.h"

#include <map>
#include <set>

#include "lowbit/core/error.h"
#include "lowbit/core/log.h"
#include "lowbit/models/factory.h"
#include "lowbit/models/policy.h"
#include "lowbit/run/run_state.h"

namespace lowbit::run {
namespace {

// A line for each kind of difference.
void warn_of_overruled(const checkpoint::LoadReport& report, const std::string& path) {
  std::map<std::string, std::vector<std::string>> names;
  for (const auto& [name, had] : report.overruled) names[had].push_back(name);
  for (const auto& [had, of] : names)
    core::log().warn(
        "{}: {} quantizers were trained with {}; the options count, and learned clip values are "
        "rescaled; the first: {}",
        path, of.size(), had, of.front());
}

}  // namespace

checkpoint::LoadReport load_state(models::Network& network, const checkpoint::Value& file,
                                  const checkpoint::LoadScope& scope, const std::string& path) {
  try {
    checkpoint::LoadReport report = checkpoint::load_state(network, file, scope);
    std::set<std::string> loaded;
    for (const auto& [name, tensor] : checkpoint::named_tensors(network)) loaded.insert(name);
    for (const std::string& entry : report.stayed) loaded.erase(entry.substr(0, entry.find(' ')));
    report.overruled = network.follow_options(loaded);
    warn_of_overruled(report, path);
    return report;
  } catch (core::Error& error) {
    error.at(path);
    throw;
  }
}

void require_finite(const models::Network& network, const std::string& path) {
  try {
    checkpoint::require_finite(network);
  } catch (core::Error& error) {
    error.at(path).detail("the run that saved it diverged, or the file is damaged");
    throw;
  }
}

LoadedNetwork load_network(const config::ModelOptions& options, const checkpoint::Value& file,
                           const std::string& path) {
  LoadedNetwork loaded{models::make_network(options), {}};
  models::apply_policy_until(*loaded.network, policy_epoch_of(file));
  loaded.report = load_state(*loaded.network, file, {}, path);
  return loaded;
}

}  // namespace lowbit::run
