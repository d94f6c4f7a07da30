// The report itself: one HTML document that needs nothing beside it.
#pragma once

#include <string>
#include <vector>

#include "lowbit/report/flips.h"
#include "lowbit/report/run_data.h"

namespace lowbit::report {

struct ReportedRun {
  RunData data{};
  Flips flips{};
};

// At least one run. Everything that comes from a run is escaped.
std::string page(const std::vector<ReportedRun>& runs);

}  // namespace lowbit::report
