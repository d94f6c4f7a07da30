// What follows from the options together: sizes by keyword and data set, methods by keyword, and
// the combinations that cannot be.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lowbit/config/match.h"

namespace lowbit::config {

// Beside the options: where a value came from that no option gave, by the option's name.
struct Resolution {
  std::map<std::string, std::string> sources;
  std::vector<std::string> keywords;  // given and implied
  std::vector<std::string> warnings;
};

// Completes `options`, into which `given` has been applied. A usage error names what is unknown
// or impossible. Purpose::network leaves out what concerns training and its data. The
// text of a policy that a checkpoint brings along takes the place of the file that it came from.
Resolution resolve(const GivenOptions& given, Purpose purpose,
                   const std::optional<std::string>& stored_policy, Options& options);

}  // namespace lowbit::config
