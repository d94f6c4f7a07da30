// Kernels that run on any machine (instruction_set.h).
#pragma once

#include "lowbit/runtime/kernels/tile.h"
#include "lowbit/runtime/vector_functions.h"

namespace lowbit::runtime::portable {

extern const VectorFunctions kFunctions;

extern const PopcountSet kPopcount;
extern const TileSet kDot16;
extern const DepthwiseSet kDepthwise;

}  // namespace lowbit::runtime::portable
