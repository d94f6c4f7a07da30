// kernels/max_pool.h as the plainest loops.
#pragma once

#include "lowbit/kernels/max_pool.h"

namespace lowbit::kernels::reference {

void max_pool_forward(const MaxPoolForward& args);
void max_pool_backward(const MaxPoolBackward& args);

}  // namespace lowbit::kernels::reference
