// Combinations of training options that cannot be, and the precision that they agree on.
#pragma once

#include <string>
#include <vector>

#include "lowbit/config/match.h"

namespace lowbit::config {

// Settles the precision (--opt_level O0 takes back --fp16). Returns warnings, each with its place;
// usage errors as in parse.h.
std::vector<std::string> check_training_options(const GivenOptions& given, TrainOptions& train);

}  // namespace lowbit::config
