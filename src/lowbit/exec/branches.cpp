#include "lowbit/exec/branches.h"

#include <torch/autograd.h>

namespace lowbit::exec {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The passes go over arrays of pixels: left to find out the memory format by themselves, they
// choose one that is neither, and copies follow.

// [B, H, W, count, C], contiguous
torch::Tensor pixels(const torch::Tensor& y, int64_t count) {
  return y.permute({0, 2, 3, 1}).contiguous().unflatten(3, {count, -1});
}

torch::Tensor from_pixels(const torch::Tensor& y) {
  return y.flatten(3).permute({0, 3, 1, 2});
}

class AddToEach : public torch::autograd::Function<AddToEach> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& y,
                               const torch::Tensor& shared) {
    const int64_t count = y.size(1) / shared.size(1);
    context->saved_data["count"] = count;
    return from_pixels(pixels(y, count) + pixels(shared, 1));
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const int64_t count = context->saved_data["count"].toInt();
    return {grads[0], from_pixels(pixels(grads[0], count).sum(3, /*keepdim=*/true))};
  }
};

}  // namespace

torch::Tensor add_to_each(const torch::Tensor& y, const torch::Tensor& shared) {
  return AddToEach::apply(y, shared);
}

// A product of matrices is one pass over the memory each way; K passes of products and sums take
// twice as long.
torch::Tensor scaled_sum(const torch::Tensor& y, const torch::Tensor& scales) {
  const int64_t count = scales.size(0), channels = y.size(1) / count;
  const torch::Tensor each = scales.to(y.scalar_type()).unsqueeze(1).expand({count, channels});
  const torch::Tensor matrix = torch::diag_embed(each).flatten(0, 1);  // [K * C, C]
  return torch::matmul(pixels(y, 1).flatten(3), matrix).permute({0, 3, 1, 2});
}

}  // namespace lowbit::exec
