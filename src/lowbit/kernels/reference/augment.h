// kernels/augment.h as plain loops on one thread.
#pragma once

#include "lowbit/kernels/augment.h"

namespace lowbit::kernels::reference {

void assemble_batch(const AssembleBatch& args);

}  // namespace lowbit::kernels::reference
