// Kernels of the files for NEON (instruction_set.h).
#pragma once

#include "lowbit/runtime/kernels/tile.h"

namespace lowbit::runtime::neon {

extern const LookupSet kLookup;
extern const LookupSet kLookupOneBit;  // the same for weights of one bit alone
extern const PopcountSet kPopcount;
extern const DotSet kDot8;
extern const DotSet kDot8DotProducts;  // for machines that have SDOT
extern const TileSet kDot16;
extern const DepthwiseSet kDepthwise;

}  // namespace lowbit::runtime::neon
