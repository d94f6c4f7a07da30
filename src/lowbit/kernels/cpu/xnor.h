// kernels/xnor.h with threads and vector instructions, results as in cpu/lsq.h.
#pragma once

#include "lowbit/kernels/xnor.h"

namespace lowbit::kernels::cpu {

void xnor_forward(const XnorForward& args);
void xnor_backward(const XnorBackward& args);

}  // namespace lowbit::kernels::cpu
