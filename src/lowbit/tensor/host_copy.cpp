#include "lowbit/tensor/host_copy.h"

#include <map>

namespace lowbit::tensor {

std::vector<torch::Tensor> to_host(const std::vector<torch::Tensor>& tensors) {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> result;
  std::map<torch::ScalarType, std::vector<size_t>> remote;
  for (const torch::Tensor& tensor : tensors) {
    if (!tensor.is_cpu()) remote[tensor.scalar_type()].push_back(result.size());
    result.push_back(tensor.is_cpu() ? tensor.detach().contiguous() : tensor.detach());
  }
  for (const auto& [type, indices] : remote) {
    std::vector<torch::Tensor> flat;
    for (const size_t index : indices) flat.push_back(result[index].reshape(-1));
    const torch::Tensor all = torch::cat(flat).cpu();
    int64_t begin = 0;
    for (const size_t index : indices) {
      torch::Tensor& tensor = result[index];
      tensor = all.narrow(0, begin, tensor.numel()).view(tensor.sizes());
      begin += tensor.numel();
    }
  }
  return result;
}

}  // namespace lowbit::tensor
