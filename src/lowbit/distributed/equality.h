// What all processes must have alike.
#pragma once

#include <torch/types.h>

#include <string>
#include <utility>
#include <vector>

#include "lowbit/distributed/group.h"

namespace lowbit::distributed {

// Compares each tensor with process 0's, bit by bit. Where one differs, every process gets the same
// Error (failure), which names a process and its first such tensor. Called by all, with the same
// names, shapes and types in the same order; waits for the device.
void check_equal(Group& group, const std::vector<std::pair<std::string, torch::Tensor>>& tensors);

}  // namespace lowbit::distributed
