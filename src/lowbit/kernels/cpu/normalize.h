// kernels/normalize.h with threads and vector instructions, results as in cpu/lsq.h.
#pragma once

#include "lowbit/kernels/normalize.h"

namespace lowbit::kernels::cpu {

void normalize_forward(const NormalizeForward& args);
void normalize_backward(const NormalizeBackward& args);
void restore_forward(const RestoreForward& args);
void restore_backward(const RestoreBackward& args);

}  // namespace lowbit::kernels::cpu
