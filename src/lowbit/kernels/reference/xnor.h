// kernels/xnor.h as the plainest loops, see reference/lsq.h.
#pragma once

#include "lowbit/kernels/xnor.h"

namespace lowbit::kernels::reference {

void xnor_forward(const XnorForward& args);
void xnor_backward(const XnorBackward& args);

}  // namespace lowbit::kernels::reference
