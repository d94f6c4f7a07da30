// kernels/normalize.h as the plainest loops, see reference/lsq.h.
#pragma once

#include "lowbit/kernels/normalize.h"

namespace lowbit::kernels::reference {

void normalize_forward(const NormalizeForward& args);
void normalize_backward(const NormalizeBackward& args);
void restore_forward(const RestoreForward& args);
void restore_backward(const RestoreBackward& args);

}  // namespace lowbit::kernels::reference
