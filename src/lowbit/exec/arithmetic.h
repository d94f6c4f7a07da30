// The numbers that sums of products are made of.
#pragma once

#include <torch/types.h>

#include <optional>

#include "lowbit/quant/quantizer.h"

namespace lowbit::exec {

enum class Arithmetic {
  // Those of training: the dequantized values.
  floats,
  // For evaluation. Where input and weight of a layer have grids of one plane
  // (quant::Quantizer::grid), hence are whole multiples of a unit, the layer adds whole numbers and
  // multiplies the sums by the units. Such sums are exact in whatever order they are added, up to
  // 2^24 in float32 (any layer of 4 bits): other libraries, threads and processors give the same
  // bits, and so does the packed network. As `floats` otherwise, in training and in half precision.
  // Without gradients.
  whole_numbers,
};

struct WholeNumbers {
  torch::Tensor numbers;  // of the type and shape of the quantized ones
  torch::Tensor unit;     // float64: [1] of features, [O] of a weight
};

// Of y, what `quantizer` has just returned; nothing where its grid has not one plane, or y is in
// half precision.
std::optional<WholeNumbers> whole_numbers(const quant::Quantizer& quantizer,
                                          const torch::Tensor& y);

}  // namespace lowbit::exec
