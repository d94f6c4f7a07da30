// Whether a launch was accepted.
#pragma once

namespace lowbit::kernels::cuda {

// Error (failure) with CUDA's reason if a launch since the last call was refused.
void check_launch(const char* op);

}  // namespace lowbit::kernels::cuda
