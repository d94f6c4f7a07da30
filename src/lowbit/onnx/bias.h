// The bias of a convolution whose sums become codes at once.
#pragma once

#include <optional>
#include <vector>

#include "consumers.h"
#include "weights.h"

namespace lowbit::onnx {

// Runtimes that fuse convolution and quantizer round the bias to whole units of the sum, which
// moves some sums to the next code. Sums are integers, however: the bias may lie anywhere in an
// interval without a change of any code. Returns the whole number of units next to the middle of
// that interval. None where no quantizer follows that is a rounding, or some interval holds no such
// number. carried: the weights with these units.
std::optional<std::vector<float>> settled_bias(const WeightIntegers& weights, const SumUnits& units,
                                               const CarriedWeights& carried, const OnlyUse& use);

}  // namespace lowbit::onnx
