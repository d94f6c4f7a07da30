// The weights of a packed convolution as the integers that they stand for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lowbit/runtime/program_generated.h"

namespace lowbit::runtime {

// Of each plane of a convolution, [out][row][column][in / groups].
using Weights = std::vector<std::vector<int8_t>>;

// `count` of a plane that was checked.
std::vector<int8_t> integers_of(const packed::WeightPlane& plane, size_t count);

// The greatest sum of the sizes of the weights of an output channel, which divide them evenly.
int64_t largest_sum(std::span<const int8_t> weights, int out);

}  // namespace lowbit::runtime
