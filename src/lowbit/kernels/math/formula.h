// A quantizer that is a formula of each element alone, with at most one learned number for each
// group of them: a struct template Formula<T>, T float or double, with
//
//   Formula(const FormulaArguments&, group)
//   T code(T x)                               a whole number; NaN of NaN
//   T level(T code)                           the result is y = level(code(x))
//   FormulaGradient<T> gradient(T x, T upstream)
//   static constexpr bool kLearns             whether clip_val is learned; where it is:
//   double clip_gradient(double sum)          its gradient, of the sum of FormulaGradient::clip
//
// for host and device, from which kernels/formula_loops.h makes the loops of every back end, and
// for the host alone what quant/formula_quantizer.h makes grid and thresholds of:
//
//   T lowest(), highest()                     the codes that there are
//   T edge(T code)                            where `code` begins, but for roundings
//   Real scale(const Real& clip_val)          level(code) = scale code, but for roundings, by a
//                                             clip value or a tensor of them; double scale() where
//                                             nothing is learned
#pragma once

#include <cstdint>

#include "lowbit/kernels/math/host_device.h"

namespace lowbit::kernels {

struct FormulaArguments {
  const void* clip_val = nullptr;   // [groups] of the compute type; null where nothing is learned
  const void* level_num = nullptr;  // [1] of the compute type, read where the kernel runs; >= 2
  double boundary = 1;              // > 0: the fixed clip value of formulas that learn none
  bool full_range = false;          // levels on both sides of 0, not from 0 on
  double grad_scale = 1;            // factor on the gradient of clip_val, as in LsqBackward
};

template <class T>
struct FormulaGradient {
  T x;     // upstream * dy/dx
  T clip;  // upstream * dy/dclip_val, this element's term of the sum over its group
};

// The numbers that FormulaArguments point to.
template <class T>
LOWBIT_HOST_DEVICE T clip_of(const FormulaArguments& arguments, std::int64_t group) {
  return static_cast<const T*>(arguments.clip_val)[group];
}
template <class T>
LOWBIT_HOST_DEVICE T levels_of(const FormulaArguments& arguments) {
  return *static_cast<const T*>(arguments.level_num);
}

}  // namespace lowbit::kernels
