// The effective configuration as a config file that gives it again.
#pragma once

#include <string>

#include "lowbit/config/parse.h"

namespace lowbit::config {

// Every option that is not at its default, as a file that parse_run reads to the same options, on
// its own: without another file, and without variables. What belongs to one call and not to the
// run (resume, evaluate, dry-run) is left out. A value with blanks within `options`, which no
// config file can say, is left out with a comment that says so.
std::string config_text(const Configuration& configuration);

}  // namespace lowbit::config
