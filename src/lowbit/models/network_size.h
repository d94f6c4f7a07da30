// How much memory the numbers of a network take.
#pragma once

#include <cstdint>

#include "lowbit/models/network.h"

namespace lowbit::models {

struct NetworkSize {
  int64_t parameters;    // weights, biases, scales, statistics; counters left out
  int64_t float_bytes;   // all of them as float32
  int64_t packed_bytes;  // quantized weights at ceil(log2(levels)) bits, the rest as float32
};

NetworkSize network_size(const Network& network);

}  // namespace lowbit::models
