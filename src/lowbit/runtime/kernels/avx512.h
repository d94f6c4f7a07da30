// Kernels of the files that are compiled for AVX-512 (instruction_set.h).
#pragma once

#include "lowbit/runtime/kernels/tile.h"
#include "lowbit/runtime/vector_functions.h"

namespace lowbit::runtime::avx512 {

extern const VectorFunctions kFunctions;

extern const LookupSet kLookup;
extern const LookupSet kLookupShort;  // rows of half the length, for tables of codes of two bits
extern const PopcountSet kPopcount;
extern const DotSet kDot8;

}  // namespace lowbit::runtime::avx512
