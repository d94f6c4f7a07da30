// Quantizers that are a formula of the element (math/formula.h): value and gradient of an array.
//
// Types, errors, overlap and size 0 are as in lsq.h. NaN in x gives NaN in y; infinities are
// clipped like any large value.
#pragma once

#include <cstdint>
#include <string_view>

#include "lowbit/kernels/math/formula.h"
#include "lowbit/kernels/types.h"

namespace lowbit::kernels {

struct FormulaForward {
  Input x;                // [size]
  Output y;               // [size]
  std::int64_t size = 0;  // number of elements
  Groups groups;          // of x
  FormulaArguments arguments{};
};

struct FormulaBackward {
  Input x;                    // [size], as in the forward pass
  Input grad_y;               // [size]
  Output grad_x;              // [size], of x.type
  void* grad_clip = nullptr;  // [groups.count] of compute_type(x.type), overwritten; null without
                              // a learned number
  std::int64_t size = 0;      // number of elements
  Groups groups;              // of x
  FormulaArguments arguments{};
  void* workspace = nullptr;  // cuda only, with a learned number: kWorkspaceBytes, see types.h
};

// The loops of one formula.
struct FormulaKernels {
  bool learns;  // Formula::kLearns
  void (*forward)(Backend, const FormulaForward&, Stream);
  void (*backward)(Backend, const FormulaBackward&, Stream);
};

// Those of Formula, which are compiled where LOWBIT_FORMULA_KERNELS names it (formula_loops.h).
template <template <class> class Formula>
FormulaKernels formula_kernels();

// The checks that every formula makes before its loops: an Error (usage).
void check_formula(Backend backend, const FormulaForward& args, bool learns);
void check_formula(Backend backend, const FormulaBackward& args, bool learns);

}  // namespace lowbit::kernels
