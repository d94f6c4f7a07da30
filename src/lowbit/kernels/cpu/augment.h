// kernels/augment.h with threads.
#pragma once

#include "lowbit/kernels/augment.h"

namespace lowbit::kernels::cpu {

void assemble_batch(const AssembleBatch& args);

}  // namespace lowbit::kernels::cpu
