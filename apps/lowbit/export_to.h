// The packed file of a checkpoint that has been read.
#pragma once

#include <string>

#include "lowbit/checkpoint/value.h"

namespace lowbit::app {

// As lowbit export CHECKPOINT -o OUTPUT; file: what is read from the checkpoint.
void export_to(const std::string& output, const checkpoint::Value& file,
               const std::string& checkpoint);

}  // namespace lowbit::app
