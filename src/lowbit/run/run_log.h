// The log of a run across its starts.
#pragma once

#include <filesystem>

#include "lowbit/run/run_start.h"

namespace lowbit::run {

// Makes `log` ready to be appended to, before it is opened: a run that goes on loses the lines of
// epochs that it will train again, so that each epoch stands there once; what a new run finds there
// is kept as LOG.old.
void begin_log(const std::filesystem::path& log, const RunStart& start);

}  // namespace lowbit::run
