// What each operation of a graph does to tensors. Features have the batch as their first axis.
#pragma once

#include <torch/types.h>

#include <span>

#include "lowbit/graph/operations.h"

namespace lowbit::exec {

struct Inputs {
  std::span<const torch::Tensor> tensors;
  bool batched;   // whether the result is: axes then count behind the batch
  bool training;  // norms use and update the statistics of the batch
};

// With the parameters of the type of x.
torch::Tensor convolve(const graph::Convolution& op, const torch::Tensor& x,
                       const torch::Tensor& weight, const torch::Tensor& bias);

// x as its quantizer takes it: features as maps, those of a linear layer as maps of one pixel; a
// weight in the shape that its groups are defined by.
torch::Tensor quantizer_input(const graph::Quantize& op, const torch::Tensor& x);

// All operations but Convolution, Linear and Quantize.
torch::Tensor compute(const graph::Operation& operation, const Inputs& in);

}  // namespace lowbit::exec
