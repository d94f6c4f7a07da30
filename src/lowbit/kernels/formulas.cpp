// The formulas of the library, a line for each. cuda/formulas.cu compiles this file once more.
#include "lowbit/kernels/formula_loops.h"
#include "lowbit/kernels/math/dorefa.h"
#include "lowbit/kernels/math/pact.h"

LOWBIT_FORMULA_KERNELS(lowbit::kernels::DorefaActivation)
LOWBIT_FORMULA_KERNELS(lowbit::kernels::Pact)
