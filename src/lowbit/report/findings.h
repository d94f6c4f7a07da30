// What is worth a look in a run, the worst first.
#pragma once

#include <string>
#include <vector>

#include "lowbit/report/run_data.h"

namespace lowbit::report {

enum class Severity { broken, bad, notable };

struct Finding {
  Severity severity;
  std::string where{};  // "layer1.0.conv1 wt", "the run"
  std::string what{};   // a sentence without its end
};

std::vector<Finding> findings(const RunData& run);

}  // namespace lowbit::report
