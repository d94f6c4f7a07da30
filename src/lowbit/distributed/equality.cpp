#include "lowbit/distributed/equality.h"

#include <fmt/format.h>

namespace lowbit::distributed {
namespace {

// As integers: NaN equals itself there, and the zeros differ.
torch::Tensor bits(const torch::Tensor& tensor) {
  switch (tensor.element_size()) {
    case 1:
      return tensor.view(torch::kInt8);
    case 2:
      return tensor.view(torch::kInt16);
    case 4:
      return tensor.view(torch::kInt32);
    default:
      return tensor.view(torch::kInt64);
  }
}

}  // namespace

void check_equal(Group& group, const std::vector<std::pair<std::string, torch::Tensor>>& tensors) {
  if (tensors.empty()) return;
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> first;
  for (const auto& [name, tensor] : tensors) first.push_back(tensor.detach().clone());
  group.take_from_first(first);

  std::vector<torch::Tensor> equal;
  for (size_t i = 0; i < tensors.size(); ++i)
    equal.push_back((bits(tensors[i].second.detach()) == bits(first[i])).all());
  const torch::Tensor all = torch::stack(equal).to(torch::kCPU);
  std::string own;
  for (size_t i = 0; i < tensors.size() && own.empty(); ++i)
    if (!all[static_cast<int64_t>(i)].item<bool>())
      own = fmt::format("process {} has not the same '{}' as process 0", group.rank(),
                        tensors[i].first);
  if (const std::string found = group.first_text(own); !found.empty())
    throw core::failure("{}", found);
}

}  // namespace lowbit::distributed
