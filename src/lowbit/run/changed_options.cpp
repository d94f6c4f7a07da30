#include "lowbit/run/changed_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "lowbit/config/option.h"
#include "lowbit/config/parse.h"
#include "lowbit/core/error.h"

namespace lowbit::run {
namespace {

bool matters(const config::Option& option, LoadPurpose purpose) {
  const std::string& name = option.name();
  if (name == "--mean" || name == "--std") return true;
  if (purpose == LoadPurpose::start) return false;
  if (option.describes_model || name == "--dataset") return true;
  return purpose == LoadPurpose::resume &&
         (option.group == "Training" || option.group == "Loss" || name == "--batch_size");
}

}  // namespace

std::vector<std::string> changed_options(const std::string& then, const std::string& now,
                                         LoadPurpose purpose) {
  std::vector<std::string> changes;
  try {
    std::map<std::string, std::string> before;
    for (const config::Setting& setting : config::Configuration::from_json(then).settings)
      before[setting.name] = setting.value;
    const config::Configuration present = config::Configuration::from_json(now);
    for (const config::Option& option : config::all_options()) {
      const auto setting =
          std::ranges::find(present.settings, option.name(), &config::Setting::name);
      if (setting == present.settings.end() || !matters(option, purpose)) continue;
      if (before[option.name()] != setting->value)
        changes.push_back(
            fmt::format("{} {} -> {}", option.name(), before[option.name()], setting->value));
    }
  } catch (const core::Error&) {
    changes.clear();
  }
  return changes;
}

}  // namespace lowbit::run
