#include "run_group.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "lowbit/core/log.h"
#include "lowbit/train/device.h"
#include "output.h"
#include "report_error.h"

namespace lowbit::app {
namespace {

distributed::Facts facts_of(const config::Configuration& configuration, torch::Device device) {
  distributed::Facts facts = {{"version of the program", LOWBIT_VERSION},
                              {"kind of device", torch::DeviceTypeName(device.type(), true)}};
  for (const config::Setting& setting : config::common_settings(configuration))
    facts.push_back({setting.name, setting.value});
  return facts;
}

}  // namespace

std::unique_ptr<distributed::Group> join(const distributed::Place& place,
                                         const config::Configuration& configuration) {
  const config::TrainOptions& options = configuration.options.train;
  const torch::Device device = train::choose_device(options, &place);
  distributed::Group::Terms terms;
  terms.facts = facts_of(configuration, device);
  terms.patience.longest = std::chrono::seconds(options.peer_timeout);
  // Only the process that leads has a log; the first of another machine would wait in silence.
  terms.patience.say = [leads = place.leads()](const std::string& line) {
    if (leads)
      core::log().warn(line);
    else
      complain("warning: {}\n", line);
  };
  terms.end = [](const std::exception_ptr& error) { ::_exit(report_error(error)); };
  return distributed::Group::join(place, device, std::move(terms));
}

}  // namespace lowbit::app
