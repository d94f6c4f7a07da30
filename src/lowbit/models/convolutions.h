// The convolutions of a network as one image meets them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lowbit/models/network.h"
#include "lowbit/nn/conv.h"

namespace lowbit::models {

struct ConvolutionCall {
  std::string name;                    // as in checkpoints
  std::vector<int64_t> input, weight;  // [1, C, H, W], [O, C / groups, k, k]
  nn::ConvShape shape;
};

// Runs one image through the network, in evaluation and not counted; in the order of computation.
std::vector<ConvolutionCall> trace_convolutions(Network& network);

// A line for each: name, shapes of input and weight, kernel, stride, padding, dilation, groups.
std::string format_convolutions(const std::vector<ConvolutionCall>& calls);

}  // namespace lowbit::models
