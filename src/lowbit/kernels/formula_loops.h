// Compiles the loops of a formula. After its definition, outside of any namespace, write
//
//   LOWBIT_FORMULA_KERNELS(lowbit::kernels::Pact)
//
// in a file that is compiled once as C++ and, where CUDA is on, once more as CUDA; each pass makes
// the loops of its back ends. The formula must not be in an anonymous namespace.
#pragma once

#include "lowbit/kernels/formula.h"

#ifdef __CUDACC__

#include "lowbit/kernels/cuda/formula.cuh"

#define LOWBIT_FORMULA_KERNELS(Formula)                                 \
  template void lowbit::kernels::cuda::formula_forward<Formula>(        \
      const lowbit::kernels::FormulaForward&, lowbit::kernels::Stream); \
  template void lowbit::kernels::cuda::formula_backward<Formula>(       \
      const lowbit::kernels::FormulaBackward&, lowbit::kernels::Stream);

#else

#include "lowbit/core/error.h"
#include "lowbit/kernels/cpu/formula.h"
#include "lowbit/kernels/dispatch.h"
#include "lowbit/kernels/reference/formula.h"

namespace lowbit::kernels {
namespace cuda {

#ifdef LOWBIT_CUDA
template <template <class> class Formula>
void formula_forward(const FormulaForward& args, Stream stream);
template <template <class> class Formula>
void formula_backward(const FormulaBackward& args, Stream stream);
#else
template <template <class> class Formula>
void formula_forward(const FormulaForward&, Stream) {
  throw core::failure("quantizer, forward: this build has no CUDA kernels");
}
template <template <class> class Formula>
void formula_backward(const FormulaBackward&, Stream) {
  throw core::failure("quantizer, backward: this build has no CUDA kernels");
}
#endif

}  // namespace cuda

template <template <class> class Formula>
void formula_forward(Backend backend, const FormulaForward& args, Stream stream) {
  check_formula(backend, args, Formula<float>::kLearns);
  dispatch(backend, args, stream, reference::formula_forward<Formula>,
           cpu::formula_forward<Formula>, cuda::formula_forward<Formula>);
}

template <template <class> class Formula>
void formula_backward(Backend backend, const FormulaBackward& args, Stream stream) {
  check_formula(backend, args, Formula<float>::kLearns);
  dispatch(backend, args, stream, reference::formula_backward<Formula>,
           cpu::formula_backward<Formula>, cuda::formula_backward<Formula>);
}

template <template <class> class Formula>
FormulaKernels formula_kernels() {
  return {Formula<float>::kLearns, formula_forward<Formula>, formula_backward<Formula>};
}

}  // namespace lowbit::kernels

#define LOWBIT_FORMULA_KERNELS(Formula) \
  template lowbit::kernels::FormulaKernels lowbit::kernels::formula_kernels<Formula>();

#endif
