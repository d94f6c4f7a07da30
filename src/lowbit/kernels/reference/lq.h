// kernels/lq.h as the plainest loops: one thread, one element after the other. What every other
// kernel is compared with.
#pragma once

#include "lowbit/kernels/lq.h"

namespace lowbit::kernels::reference {

void lq_build_tables(const LqBuildTables& args);
void lq_forward(const LqForward& args);
void lq_backward(const LqBackward& args);

}  // namespace lowbit::kernels::reference
