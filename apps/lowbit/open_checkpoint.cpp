#include "open_checkpoint.h"

#include <algorithm>

#include "lowbit/core/error.h"
#include "lowbit/core/log.h"
#include "lowbit/run/run_state.h"
#include "run_summary.h"

namespace lowbit::app {

config::Configuration configuration_of(const checkpoint::Value& file, const std::string& path,
                                       const Arguments& options, bool for_network) {
  const bool described = run::has_description(file);
  if (!described && options.empty())
    throw core::usage_error("{}: does not describe its network, so that options have to", path)
        .detail("for example: --model resnet20 --keyword cifar100,cbsa,origin --width_alpha 0.25");
  config::Configuration configuration =
      described
          ? config::Configuration::from_json(run::description_of(file, path).configuration, options)
      : for_network ? config::parse_options(options)
                    : config::parse_run(std::nullopt, options);
  for (const std::string& warning : configuration.warnings) core::log().warn(warning);
  return configuration;
}

config::Configuration configuration_to_use(const checkpoint::Value& file, const std::string& path,
                                           const Arguments& options) {
  const bool described = run::has_description(file);
  Arguments all = options;
  if (described) all.insert(all.begin(), {"--device", "auto", "--step", "auto"});
  config::Configuration configuration = configuration_of(file, path, all, /*for_network=*/false);
  if (!described) use_classes_of_files(configuration);
  config::TrainOptions& run = configuration.options.train;
  run.pretrained.clear();
  run.distill_teacher.clear();
  run.resume = run.re_init = false;
  run.resume_scope.clear();
  run.unresume_scope.clear();
  return configuration;
}

// What a quantizer has not learned yet may be missing: the network it is put into was trained in
// full precision. Anything else would be evaluated with random numbers.
void require_weights(const checkpoint::LoadReport& report, const std::string& path) {
  const auto missing = std::ranges::find_if(report.stayed, [](const std::string& entry) {
    return entry.find(".quant_") == std::string::npos;
  });
  if (missing == report.stayed.end()) return;
  const bool lacks = missing->find(", in the file [") == std::string::npos;
  throw core::usage_error("{}: does not fit the network: {}{}", path, lacks ? "it lacks " : "",
                          *missing)
      .detail(
          "the options say what the network is: --model, --keyword, --num_classes, "
          "--width_alpha; 'lowbit tools load' lists all that does not fit");
}

}  // namespace lowbit::app
