// Several tensors as one, without copying them.
#pragma once

#include <torch/types.h>

#include <vector>

namespace lowbit::nn {

// Parameters or buffers of one shape and type, [n, ...] each, as one tensor [k * n, ...] of the
// same memory: writing into it changes them, and its gradient is theirs. Where they do not lie one
// after another yet, they are moved there first (their values stay; whoever kept a pointer to their
// data must not use it any more). They stay there until something gives them other memory.
torch::Tensor side_by_side(const std::vector<torch::Tensor>& tensors);

}  // namespace lowbit::nn
