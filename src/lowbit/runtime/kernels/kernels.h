// The kernels that make_conv_kernel selects from. Problems have been checked.
#pragma once

#include <memory>

#include "lowbit/runtime/kernels/conv.h"
#include "lowbit/runtime/kernels/tile.h"

namespace lowbit::runtime {

std::unique_ptr<ConvKernel> make_reference(const ConvProblem& problem);

// Groups one after the other, each by the kernel that `isa` has for its problem.
std::unique_ptr<ConvKernel> make_grouped(const ConvProblem& problem, const InstructionSet& isa);

// Of one group. Null: the codes or weights are too many for a table, the output channels too few
// for its vectors, or sums of bytes would overflow so soon that adding them up takes longer than
// the look-up.
std::unique_ptr<ConvKernel> make_lookup(const ConvProblem& problem, const LookupSet& set);

// Of one group: codes of one bit and weights of two opposite values, compared 32 at a time. Null:
// they are others, or of the bits of a step less than `least_used` percent are in use.
std::unique_ptr<ConvKernel> make_popcount(const ConvProblem& problem, const PopcountSet& set,
                                          int least_used);

// Of one group, for tiles of four bytes a step. Null: sums of 16 bits would hold too few steps.
std::unique_ptr<ConvKernel> make_dot8(const ConvProblem& problem, const DotSet& set);

// Of one group, for tiles of two 16-bit integers a step; any problem.
std::unique_ptr<ConvKernel> make_dot16(const ConvProblem& problem, const TileSet& set);

// As many groups as input and as output channels; any problem.
std::unique_ptr<ConvKernel> make_depthwise(const ConvProblem& problem, const DepthwiseSet& set);

}  // namespace lowbit::runtime
