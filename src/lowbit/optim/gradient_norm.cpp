#include "lowbit/optim/gradient_norm.h"

namespace lowbit::optim {

std::vector<torch::Tensor> clip_norm(const std::vector<torch::Tensor>& gradients, double bound) {
  std::vector<torch::Tensor> defined;
  for (const torch::Tensor& gradient : gradients)
    if (gradient.defined()) defined.push_back(gradient);
  if (defined.empty()) return gradients;
  const torch::Tensor norm = torch::stack(torch::_foreach_norm(defined, 2)).norm();
  const torch::Tensor factor = (bound / (norm + 1e-6)).clamp_max(1);
  // New tensors: what autograd gives may share memory.
  const std::vector<torch::Tensor> clipped = torch::_foreach_mul(defined, factor);
  std::vector<torch::Tensor> result;
  size_t next = 0;
  for (const torch::Tensor& gradient : gradients)
    result.push_back(gradient.defined() ? clipped[next++] : gradient);
  return result;
}

}  // namespace lowbit::optim
