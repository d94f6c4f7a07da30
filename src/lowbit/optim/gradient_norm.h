// Bounded gradients.
#pragma once

#include <torch/types.h>

#include <vector>

namespace lowbit::optim {

// The rule of torch.nn.utils.clip_grad_norm_: all gradients times min(1, bound / (norm + 1e-6)),
// where norm is the 2-norm of all of them together. Undefined ones stay so. Nothing waits for the
// device.
std::vector<torch::Tensor> clip_norm(const std::vector<torch::Tensor>& gradients, double bound);

}  // namespace lowbit::optim
