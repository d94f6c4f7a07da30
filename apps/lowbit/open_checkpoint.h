// What a checkpoint says of its run, or options in its place.
#pragma once

#include <string>

#include "commands.h"
#include "lowbit/checkpoint/state_dict.h"
#include "lowbit/checkpoint/value.h"
#include "lowbit/config/parse.h"

namespace lowbit::app {

// The configuration of the run that wrote the file, changed by `options`; of a file without a
// description that of the options alone, and a usage error with an example if there are none.
// for_network: nothing is trained or evaluated, as config::parse_network. Logs warnings.
config::Configuration configuration_of(const checkpoint::Value& file, const std::string& path,
                                       const Arguments& options, bool for_network);

// The same to use the network that the file holds, on whatever machine: without the files that the
// run began from (pretrained, distill_teacher, resume), without parts that it drew anew.
config::Configuration configuration_to_use(const checkpoint::Value& file, const std::string& path,
                                           const Arguments& options);

// A usage error if the file does not give the network all of its weights: what is missing would be
// random numbers.
void require_weights(const checkpoint::LoadReport& report, const std::string& path);

}  // namespace lowbit::app
