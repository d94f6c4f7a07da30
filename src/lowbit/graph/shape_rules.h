// The shape of an operation's result, by operation. `in` has as many entries as the operation's row
// allows, each with sizes that check_dims accepts. What does not suit is a usage error, which
// infer() completes with the name of the node.
#pragma once

#include <span>

#include "lowbit/graph/graph.h"

namespace lowbit::graph {

using InputDims = std::span<const Dims>;

Dims shape_of(const Convolution& op, InputDims in);
Dims shape_of(const Linear& op, InputDims in);
Dims shape_of(const BatchNorm& op, InputDims in);
Dims shape_of(const GroupNorm& op, InputDims in);
Dims shape_of(const InstanceNorm& op, InputDims in);
Dims shape_of(const Relu& op, InputDims in);
Dims shape_of(const Clip& op, InputDims in);
Dims shape_of(const LeakyRelu& op, InputDims in);
Dims shape_of(const PRelu& op, InputDims in);
Dims shape_of(const Quantize& op, InputDims in);
Dims shape_of(const Binary& op, InputDims in);
Dims shape_of(const Concat& op, InputDims in);
Dims shape_of(const Slice& op, InputDims in);
Dims shape_of(const Pool& op, InputDims in);
Dims shape_of(const Mean& op, InputDims in);
Dims shape_of(const Reshape& op, InputDims in);
Dims shape_of(const Transpose& op, InputDims in);
Dims shape_of(const SpaceToDepth& op, InputDims in);
Dims shape_of(const DepthToSpace& op, InputDims in);
Dims shape_of(const Pad& op, InputDims in);
Dims shape_of(const ScaledSum& op, InputDims in);
Dims shape_of(const Widen& op, InputDims in);

}  // namespace lowbit::graph
