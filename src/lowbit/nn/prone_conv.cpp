#include "lowbit/nn/prone_conv.h"

#include "lowbit/nn/norm.h"
#include "lowbit/nn/quant_conv.h"
#include "lowbit/nn/space_to_depth.h"

namespace lowbit::nn {
namespace {

constexpr int64_t kRestored = 2;  // pixels of a side of a restored cell

torch::Tensor pad_to_cells(const torch::Tensor& x, int64_t cell) {
  const int64_t rest = x.size(2) % cell;
  const int64_t padding = rest == 0 ? 0 : (cell - rest) / 2;
  if (padding == 0) return x;
  return torch::constant_pad_nd(x, {padding, padding, padding, padding});
}

}  // namespace

ProneConv::ProneConv(int64_t in, int64_t out, int64_t stride, const config::ModelOptions& options)
    : cell_(kRestored * stride) {
  const ConvShape shape{.in = in * cell_ * cell_, .out = out * kRestored * kRestored, .kernel = 1};
  conv_ = register_module("conv", std::make_shared<QuantConv2d>(shape, options));
  if (options.norm_before_restore) norm_ = register_module("bn", make_norm(shape.out, options));
}

torch::Tensor ProneConv::compute(const torch::Tensor& x) {
  torch::Tensor y = conv_->forward(space_to_depth(pad_to_cells(x, cell_), cell_));
  if (norm_) y = norm_->forward(y);
  return depth_to_space(y, kRestored);
}

}  // namespace lowbit::nn
