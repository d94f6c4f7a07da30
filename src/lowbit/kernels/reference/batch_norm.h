// kernels/batch_norm.h as the plainest loops.
#pragma once

#include "lowbit/kernels/batch_norm.h"

namespace lowbit::kernels::reference {

void batch_norm_forward(const BatchNormForward& args);
void batch_norm_backward(const BatchNormBackward& args);

}  // namespace lowbit::kernels::reference
