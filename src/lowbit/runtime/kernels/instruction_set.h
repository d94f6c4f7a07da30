// The instruction sets that the runtime has code for, each a row of one table.
//
// A new one is a row in instruction_set.cpp, a header that declares what its files offer (avx2.h),
// these files, named *_<name>.cpp, and a line with the compiler's options in CMakeLists.txt.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "lowbit/runtime/kernels/conv.h"
#include "lowbit/runtime/kernels/tile.h"
#include "lowbit/runtime/vector_functions.h"

namespace lowbit::runtime {

// Makes a kernel for a convolution of one group; null: it cannot, or others are known to be faster.
using ConvKernelMaker = std::unique_ptr<ConvKernel> (*)(const ConvProblem&);

struct InstructionSet {
  const char* name;
  bool (*is_available)();  // on the machine that this runs on
  // The one measured fastest first; the last can do any problem.
  std::span<const ConvKernelMaker> conv_kernels;
  // Null for "reference" alone: plain loops, one step after the other, which all others are
  // compared with.
  const DepthwiseSet* depthwise;
  const VectorFunctions* functions;

  bool is_reference() const { return functions == nullptr; }
};

// Those of this architecture; of two, the later one is faster where a machine has both.
std::span<const InstructionSet> instruction_sets();

// "auto": the fastest that the machine has. An Error (usage) with the nearest name and those that
// there are if the name is another, or if the machine lacks the instructions.
const InstructionSet& instruction_set(std::string_view name);

}  // namespace lowbit::runtime
