// Which numbers of levels a method has.
#pragma once

#include <string>

#include "lowbit/config/quant_options.h"

namespace lowbit::config {

// Why the method cannot have options.levels(), "xnor has 2 levels, not 4"; "" if it can.
std::string level_fault(Tag tag, const QuantOptions& options);

}  // namespace lowbit::config
