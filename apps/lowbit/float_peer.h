// A packed network beside what it was made of: the same network in full precision.
#pragma once

#include <string>

#include "command_line.h"
#include "lowbit/checkpoint/value.h"
#include "lowbit/config/parse.h"

namespace lowbit::app {

// Logs two lines: the size of the packed file and of all numbers of the network as float32; the
// time of an image with the packed file and with the network of the checkpoint without its
// quantizers, evaluated by LibTorch in float32, by turns, on images of noise, on as many threads.
// Takes about `seconds`. checkpoint: what is read from `path`; configuration: of that.
void log_against_float32(const PackedCall& packed, const checkpoint::Value& checkpoint,
                         const std::string& path, const config::Configuration& configuration,
                         double seconds);

}  // namespace lowbit::app
