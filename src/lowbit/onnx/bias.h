// The bias of a convolution whose sums become codes at once.
#pragma once

#include <vector>

#include "consumers.h"
#include "weights.h"

namespace lowbit::onnx {

// Runtimes that fuse convolution and quantizer round the bias to whole units of the sum, which
// moves some sums to the next code. Sums are integers, however: the bias may lie anywhere in an
// interval without a change of any code. Returns units.bias where that matters not or cannot be
// helped, elsewhere the whole number of units next to the middle of that interval. carried: the
// weights with these units.
std::vector<double> settled_bias(const WeightIntegers& weights, const SumUnits& units,
                                 const CarriedWeights& carried, const OnlyUse& use);

}  // namespace lowbit::onnx
