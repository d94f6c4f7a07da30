// How much memory the numbers of a network take.
#pragma once

#include <cstdint>
#include <string>

#include "lowbit/models/network.h"

namespace lowbit::models {

struct NetworkSize {
  int64_t parameters;    // weights, biases, scales, statistics; counters left out
  int64_t float_bytes;   // all of them as float32
  int64_t packed_bytes;  // quantized weights at ceil(log2(levels)) bits, the rest as float32
};

NetworkSize network_size(const Network& network);

// NetworkSize::parameters of the entries whose names begin so.
int64_t parameter_count(const Network& network, const std::string& prefix);

// Bits that a value takes: ceil(log2(levels)) of a quantizer, 32 without one (null). Waits for the
// device.
int64_t bits_of(const quant::Quantizer* quantizer);
int64_t bits_of_levels(int64_t levels);

// "1.08 MB", "87.3 kB": powers of 1000.
std::string bytes_text(int64_t bytes);

}  // namespace lowbit::models
