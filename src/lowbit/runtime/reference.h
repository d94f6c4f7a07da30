// Each step of a program in plain loops, as program.fbs says it: what everything faster is compared
// with.
#pragma once

#include <span>

#include "lowbit/runtime/network.h"
#include "lowbit/runtime/values.h"

namespace lowbit::runtime {

// Gives the rows of the step's value, values[step + 1], from its inputs, which are there as a
// whole. weights: those of the step, where it is a CodeConv.
void run_step(const Network& network, int step, const Weights& weights,
              std::span<const Tensor> values, Rows rows);

}  // namespace lowbit::runtime
