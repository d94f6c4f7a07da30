#include "lowbit/nn/side_by_side.h"

#include <torch/autograd.h>

namespace lowbit::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

bool lie_side_by_side(const std::vector<torch::Tensor>& tensors) {
  const torch::Tensor& first = tensors.front();
  int64_t offset = first.storage_offset();
  for (const torch::Tensor& tensor : tensors) {
    if (!tensor.is_contiguous() || !tensor.is_alias_of(first) || tensor.storage_offset() != offset)
      return false;
    offset += tensor.numel();
  }
  return true;
}

void move_side_by_side(const std::vector<torch::Tensor>& tensors) {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> values;
  for (const torch::Tensor& tensor : tensors) values.push_back(tensor.detach().contiguous());
  const torch::Tensor all = torch::cat(values);
  const int64_t length = tensors.front().size(0);
  for (size_t i = 0; i < tensors.size(); ++i)
    torch::Tensor(tensors[i]).set_data(all.narrow(0, static_cast<int64_t>(i) * length, length));
}

// No view in the sense of autograd, which would take it for one of the first tensor alone.
torch::Tensor all_of(at::TensorList tensors) {
  const torch::Tensor& first = tensors.front();
  std::vector<int64_t> sizes = first.sizes().vec();
  sizes[0] *= static_cast<int64_t>(tensors.size());
  return torch::empty({0}, first.options().requires_grad(false))
      .set_(first.storage(), first.storage_offset(), sizes);
}

class SideBySide : public torch::autograd::Function<SideBySide> {
 public:
  static torch::Tensor forward(AutogradContext* context, at::TensorList tensors) {
    context->saved_data["length"] = tensors.front().size(0);
    context->saved_data["count"] = static_cast<int64_t>(tensors.size());
    return all_of(tensors);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const int64_t length = context->saved_data["length"].toInt();
    variable_list parts;
    for (int64_t i = 0; i < context->saved_data["count"].toInt(); ++i)
      parts.push_back(grads[0].narrow(0, i * length, length));
    return parts;
  }
};

}  // namespace

torch::Tensor side_by_side(const std::vector<torch::Tensor>& tensors) {
  if (!lie_side_by_side(tensors)) move_side_by_side(tensors);
  return tensors.front().requires_grad() ? SideBySide::apply(at::TensorList(tensors))
                                         : all_of(tensors);
}

}  // namespace lowbit::nn
