// How often something happens in a run: every so many steps, or after so much time.
#pragma once

#include <cstdint>
#include <string>

#include "lowbit/config/argument.h"

namespace lowbit::config {

// At most one of the two is above 0; neither: never.
struct Interval {
  int64_t steps = 0;  // training steps
  int64_t seconds = 0;

  bool operator==(const Interval&) const = default;
};

// "500" steps, "30s", "10m" or "2h"; "none": never. A usage error that names option, value and
// place for anything else.
Interval parse_interval(const std::string& option, const Argument& value);

// The text that gives it.
std::string interval_text(const Interval& interval);

}  // namespace lowbit::config
