// Quantized numbers as whole ones times a unit. In evaluation sums of their products are sums of
// integers then, which are exact in whatever order they are added, up to 2^24 in float32 (any layer
// of 4 bits): other libraries, threads and processors give the same bits, and so does the packed
// network, which knows nothing else.
#pragma once

#include <torch/types.h>

#include <optional>

#include "lowbit/quant/quantizer.h"

namespace lowbit::nn {

struct WholeNumbers {
  torch::Tensor numbers;  // of the type and shape of the quantized ones
  torch::Tensor unit;     // float64: [1] of features, [O] of a weight
};

// Of y, what `quantizer` (null: none) has just returned. Nothing in training, with gradients, in
// half precision, where somebody watches the pass, and where the grid has not one plane
// (Quantizer::grid).
std::optional<WholeNumbers> whole_numbers(const quant::Quantizer* quantizer,
                                          const torch::Tensor& y);

}  // namespace lowbit::nn
