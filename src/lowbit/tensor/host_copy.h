// Tensors of a device brought to the host.
#pragma once

#include <torch/types.h>

#include <vector>

namespace lowbit::tensor {

// Every tensor on the CPU, row-major, in the order given; one that is both already is returned
// itself. What lies on a device comes in one copy for each type among them, since a copy that is
// waited for takes some ten microseconds, however small it is. Waits for the device.
std::vector<torch::Tensor> to_host(const std::vector<torch::Tensor>& tensors);

}  // namespace lowbit::tensor
