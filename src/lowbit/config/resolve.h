// What follows from the options together: sizes by keyword and data set, methods by keyword, and
// the combinations that cannot be.
#pragma once

#include <map>
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

// Completes `options`, into which `given` has been applied. A usage error names what is unknown,
// not built or impossible. `model_only` leaves out what concerns training and its data.
Resolution resolve(const GivenOptions& given, bool model_only, Options& options);

}  // namespace lowbit::config
