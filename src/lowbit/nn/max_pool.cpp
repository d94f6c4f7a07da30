#include "lowbit/nn/max_pool.h"

#include <ATen/native/Pool.h>
#include <torch/autograd.h>

#include "lowbit/kernels/max_pool.h"
#include "lowbit/nn/fused_passes.h"
#include "lowbit/tensor/tensor.h"

namespace lowbit::nn {
namespace {

constexpr int64_t kMostPlaces = 255;  // of a window
constexpr auto kPoolFormat = torch::MemoryFormat::ChannelsLast;

kernels::PoolAxis axis_of(int64_t size, const PoolWindows& windows) {
  const int64_t count = at::native::pooling_output_shape<int64_t>(
      size, windows.size, windows.padding, windows.stride, /*dilation=*/1, windows.ceil);
  const auto number = [](int64_t n) { return static_cast<int>(n); };
  return {number(size), number(count), number(windows.size), number(windows.stride),
          number(windows.padding)};
}

class MaxPoolFunction : public torch::autograd::Function<MaxPoolFunction> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const kernels::PoolAxis& height, const kernels::PoolAxis& width) {
    const torch::Tensor y = torch::empty({x.size(0), x.size(1), height.windows, width.windows},
                                         x.options().memory_format(kPoolFormat));
    const torch::Tensor places =
        torch::empty(y.sizes(), y.options().dtype(torch::kUInt8).memory_format(kPoolFormat));
    kernels::max_pool_forward(tensor::backend(x.device()),
                              {.x = tensor::input(x),
                               .y = tensor::output(y),
                               .places = places.data_ptr<uint8_t>(),
                               .shape = {x.size(0), x.size(1), height, width}},
                              tensor::current_stream(x.device()));
    context->save_for_backward({places});
    context->saved_data["axes"] =
        std::vector<int64_t>{height.size, width.size, height.kernel, height.stride, height.padding};
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    const torch::Tensor places = context->get_saved_variables()[0];
    const std::vector<int64_t> axes = context->saved_data["axes"].toIntVector();
    const auto axis = [&](int64_t size, int64_t windows) -> kernels::PoolAxis {
      return {static_cast<int>(size), static_cast<int>(windows), static_cast<int>(axes[2]),
              static_cast<int>(axes[3]), static_cast<int>(axes[4])};
    };
    const torch::Tensor grad_y = grads[0].contiguous(kPoolFormat);
    const torch::Tensor grad_x = torch::empty({places.size(0), places.size(1), axes[0], axes[1]},
                                              grad_y.options().memory_format(kPoolFormat));
    kernels::max_pool_backward(
        tensor::backend(grad_y.device()),
        {.grad_y = tensor::input(grad_y),
         .places = places.const_data_ptr<uint8_t>(),
         .grad_x = tensor::output(grad_x),
         .shape = {places.size(0), places.size(1), axis(axes[0], places.size(2)),
                   axis(axes[1], places.size(3))}},
        tensor::current_stream(grad_y.device()));
    return {grad_x, {}, {}};
  }
};

}  // namespace

torch::Tensor max_pool(const torch::Tensor& x, const PoolWindows& windows) {
  if (!has_fused_passes(x) || windows.size * windows.size > kMostPlaces)
    return torch::max_pool2d(x, windows.size, windows.stride, windows.padding, /*dilation=*/1,
                             windows.ceil);
  return MaxPoolFunction::apply(x, axis_of(x.size(2), windows), axis_of(x.size(3), windows));
}

}  // namespace lowbit::nn
