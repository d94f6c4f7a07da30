// kernels/lsq.h as the plainest loops: one thread, one element after the other. What every other
// kernel is compared with.
#pragma once

#include "lowbit/kernels/lsq.h"

namespace lowbit::kernels::reference {

void lsq_forward(const LsqForward& args);
void lsq_backward(const LsqBackward& args);
void lsq_count_inside(const LsqCountInside& args);

}  // namespace lowbit::kernels::reference
