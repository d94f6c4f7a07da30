// Kernels of the files that are compiled for AVX2 (instruction_set.h).
#pragma once

#include "lowbit/runtime/kernels/tile.h"
#include "lowbit/runtime/vector_functions.h"

namespace lowbit::runtime::avx2 {

extern const VectorFunctions kFunctions;

extern const LookupSet kLookup;
extern const PopcountSet kPopcount;
extern const DotSet kDot8;
extern const TileSet kDot16;
extern const DepthwiseSet kDepthwise;

}  // namespace lowbit::runtime::avx2
