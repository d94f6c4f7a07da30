// Reproducible values for the tensors of a network, made from their names alone.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

namespace lowbit::parity {

// Uniform in [0, 1): the numbers of `key` 0 .. count - 1, multiples of 2^-24. They come from
// splitmix64 (https://doi.org/10.1145/2714064.2660195) started at the 64-bit FNV-1a hash of the
// key.
std::vector<double> uniform_from_key(const std::string& key, int64_t count);

// Fills a parameter or buffer from its dotted name: uniform in a range that suits its kind (by the
// part of the name after the last dot). Other kinds, and integers, stay as they are. Row-major,
// whatever the tensor's memory format and device.
void fill_from_name(const std::string& name, torch::Tensor tensor);

}  // namespace lowbit::parity
